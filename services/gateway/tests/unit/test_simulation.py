"""Simulations at the edge."""

from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct

from quantmesh.api.common.v1 import job_pb2
from quantmesh.api.pricing.v1 import pricing_pb2
from quantmesh.api.pricing.v1 import simulation_pb2 as pb
from quantmesh.chassis.errors import InvalidInput, Violation
from quantmesh.gateway.http.models.simulation import SimulationShown

from .edges import ADA, Edge

PATH = "/api/v2/options/monte-carlo"
ASIAN = {"kind": "asian", "option_type": "call", "strike": 100, "time_to_expiry": 1, "averaging": "geometric"}
BODY = {"payoff": ASIAN, "spot": 100, "rate": 0.05, "volatility": 0.2, "paths": 1024, "steps": 12, "seed": 3}
SIMULATION = {
    "price": 5.5,
    "standard_error": 0.01,
    "engine": "monte_carlo",
    "paths": 1024,
    "steps": 12,
    "sampler": "sobol",
    "seed": 3,
    "replications": 16,
    "control_variates": ["forward"],
    "upper_bound": None,
    "greeks": None,
}


@pytest.fixture
def simulated(edge: Edge) -> Edge:
    edge.peers["pricing"].answers["Simulate"] = pb.SimulateResponse(simulation=ParseDict(SIMULATION, Struct()))
    return edge


async def asked(edge: Edge, body: dict[str, Any]) -> pb.SimulateRequest:
    answer = await edge.http.post(PATH, json=body)
    assert answer.status_code == 200, answer.text
    assert SimulationShown.model_validate(answer.json()).standard_error == 0.01
    request = edge.peers["pricing"].last("Simulate")
    assert isinstance(request, pb.SimulateRequest)
    return request


async def test_a_payoff_and_its_process_are_passed_on(simulated: Edge) -> None:
    request = await asked(simulated, BODY)
    assert request.payoff.asian == pb.AsianPayoff(
        option_type=pricing_pb2.OPTION_TYPE_CALL, strike=100, time_to_expiry=1, averaging=pb.AVERAGING_GEOMETRIC
    )
    assert request.process.geometric_brownian_motion.volatility.values == [0.2]
    assert (request.paths, request.steps, request.seed, request.sampler) == (1024, 12, 3, pb.SAMPLER_SOBOL)


async def test_the_contract_may_stand_beside_the_payoff(simulated: Edge) -> None:
    contract = {"option_type": "call", "strike": 100, "time_to_expiry": 1}
    beside = BODY | contract | {"payoff": {"kind": "asian", "averaging": "geometric"}}
    assert await asked(simulated, beside) == await asked(simulated, BODY)


async def test_several_assets_and_curves_are_passed_on(simulated: Edge) -> None:
    curve = {"times": [0.5], "values": [0.2, 0.3]}
    request = await asked(
        simulated,
        {
            "payoff": {
                "kind": "basket",
                "option_type": "put",
                "strike": 95,
                "time_to_expiry": 1,
                "weights": [0.5, 0.5],
            },
            "spots": [100, 90],
            "volatilities": [0.2, curve],
            "correlation": [[1, 0.3], [0.3, 1]],
            "rate": curve,
        },
    )
    assets = request.process.correlated_assets
    assert list(assets.correlation) == [1, 0.3, 0.3, 1]
    assert assets.volatilities[1] == pb.Curve(times=[0.5], values=[0.2, 0.3])
    assert [list(item.values) for item in assets.dividend_yields] == [[0.0], [0.0]]
    assert list(request.payoff.basket.weights) == [0.5, 0.5]


async def test_heston_and_local_volatility_are_passed_on(simulated: Edge) -> None:
    without = {name: value for name, value in BODY.items() if name != "volatility"}
    heston = {"v0": 0.04, "kappa": 1.5, "theta": 0.06, "sigma": 0.5, "rho": -0.7}
    assert (await asked(simulated, without | {"model": "heston"} | heston)).process.heston.rho == -0.7
    grid = {"times": [0, 1], "spots": [50, 150], "volatilities": [[0.2, 0.3], [0.25, 0.35]]}
    request = await asked(simulated, without | {"model": "local_volatility", "grid": grid})
    assert list(request.process.local_volatility.volatilities) == [0.2, 0.3, 0.25, 0.35]


TWO_ASSETS = {
    "payoff": {"kind": "basket", "option_type": "call", "strike": 95, "time_to_expiry": 1, "weights": [0.5, 0.5]},
    "spots": [100, 90],
    "volatilities": [0.2, 0.3],
    "correlation": [[1, 0.3], [0.3, 1]],
}
GRID = {"times": [0.5, 1], "spots": [50, 150], "volatilities": [[0.2, 0.3], [0.25, 0.35]]}
ON_GRID = {"payoff": ASIAN, "spot": 100, "model": "local_volatility", "grid": GRID}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (TWO_ASSETS | {"correlation": [[1, 0.3, 0.3], [1]]}, "#/correlation"),
        (TWO_ASSETS | {"correlation": [[1, 0.3], [0.3, 1], [0, 0]]}, "#/correlation"),
        (TWO_ASSETS | {"model": "heston"}, "#/model"),
        (ON_GRID | {"grid": GRID | {"volatilities": [[0.2], [0.2, 0.2, 0.2]]}}, "#/grid/volatilities"),
        (ON_GRID | {"grid": GRID | {"volatilities": [[0.2, 0.2]]}}, "#/grid/volatilities"),
    ],
)
async def test_a_matrix_of_another_shape_or_model_is_refused(edge: Edge, body: dict[str, Any], pointer: str) -> None:
    answer = await edge.http.post(PATH, json=body)
    assert answer.status_code == 422
    assert [item["pointer"] for item in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("body", "field", "pointer"),
    [
        (BODY, "process.volatility.values", "#/volatility/values"),
        (BODY, "process", "#/spots"),
        (BODY, "payoff.strike", "#/payoff/strike"),
        (BODY | {"payoff": {"kind": "european"}, "option_type": "put", "strike": 90}, "payoff.strike", "#/strike"),
        (BODY, "payoff.observations", "#/payoff/observations"),
        (BODY, "paths", "#/paths"),
        (BODY, "idempotency-key", "header/Idempotency-Key"),
        (ON_GRID, "process.times[1]", "#/grid/times/1"),
        (ON_GRID, "process.volatilities[0][1]", "#/grid/volatilities/0/1"),
        (ON_GRID, "process.spot", "#/spot"),
        (TWO_ASSETS, "process.spots[1]", "#/spots/1"),
        (TWO_ASSETS, "process.volatilities[1].times[0]", "#/volatilities/1/times/0"),
        (TWO_ASSETS, "payoff.weights", "#/payoff/weights"),
    ],
)
async def test_what_pricing_refuses_is_named_by_its_place_in_the_body(
    edge: Edge, body: dict[str, Any], field: str, pointer: str
) -> None:
    body = body if "time_to_expiry" in body["payoff"] else body | {"time_to_expiry": 1}
    edge.peers["pricing"].answers["Simulate"] = InvalidInput("no", violations=[Violation(field, "must be another")])
    answer = await edge.http.post(PATH, json=body)
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"pointer": pointer, "detail": "must be another"}])


async def test_a_price_too_large_to_count_stays_a_number(edge: Edge) -> None:
    huge = ParseDict(SIMULATION | {"price": 1e99}, Struct())
    edge.peers["pricing"].answers["Simulate"] = pb.SimulateResponse(simulation=huge)
    answer = await edge.http.post(PATH, json=BODY)
    assert (answer.status_code, answer.json()["price"], answer.json()["paths"]) == (200, 1e99, 1024)


async def test_long_work_answers_where_its_job_is(edge: Edge) -> None:
    job = job_pb2.Job(id=f"pricing-{ADA}", kind="simulate", status=job_pb2.JOB_STATUS_QUEUED)
    edge.peers["pricing"].answers["Simulate"] = pb.SimulateResponse(job=job)
    answer = await edge.http.post(PATH, json=BODY | {"paths": 10_000_000})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/v2/jobs/pricing-{ADA}"
    assert answer.json()["status"] == "queued"
    edge.peers["pricing"].answers["GetJob"] = job_pb2.GetJobResponse(job=job)
    assert (await edge.http.get(answer.headers["location"])).json() == answer.json()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"payoff": {"kind": "mountain"}}, "#/payoff"),
        ({"payoff": ASIAN | {"strike": None}}, "#/payoff/strike"),
        ({"payoff": ASIAN | {"observations": 0}}, "#/payoff/observations"),
        ({"payoff": ASIAN | {"colour": "red"}}, "#/payoff/colour"),
        ({"strike": 90}, "#/payoff/strike"),
        ({"volatility": {"times": [1], "values": []}}, "#/volatility/values"),
        ({"rate": "high"}, "#/rate"),
        ({"spot": None}, "#/spot"),
        ({"v0": 0.04}, "#/v0"),
        ({"model": "heston"}, "#/kappa"),
        ({"spots": [1, 2]}, "#/correlation"),
        ({"paths": 0}, "#/paths"),
        ({"paths": 1}, "#/paths"),
        ({"sampler": "halton"}, "#/sampler"),
    ],
)
async def test_a_broken_rule_is_named_by_its_place(edge: Edge, change: dict[str, Any], pointer: str) -> None:
    answer = await edge.http.post(PATH, json=BODY | change)
    assert answer.status_code == 422
    assert pointer in [item["pointer"] for item in answer.json()["errors"]]
