"""Simulations, answered at once or as jobs."""

import asyncio
import math
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from quantmesh.api.common.v1 import job_pb2
from quantmesh.api.common.v1.job_pb2_grpc import JobServiceStub
from quantmesh.api.pricing.v1 import pricing_pb2
from quantmesh.api.pricing.v1 import simulation_pb2 as pb
from quantmesh.api.pricing.v1.simulation_pb2_grpc import SimulationServiceStub
from quantmesh.chassis.errors import InvalidInput, NotFound
from quantmesh.chassis.identity import access_of
from quantmesh.chassis.jobs import JobWorker
from quantmesh.chassis.sql import text
from quantmesh.pricing.adapters import simulation_job
from quantmesh.pricing.adapters.rpc_simulation import SimulationRpc
from quantmesh.quant import black_scholes

from .conftest import BOB, Pricing

CALL = pricing_pb2.OPTION_TYPE_CALL


def flat(value: float) -> pb.Curve:
    return pb.Curve(values=[value])


ONE_ASSET = pb.Process(
    geometric_brownian_motion=pb.GeometricBrownianMotionProcess(
        spot=100, rate=flat(0.03), dividend_yield=flat(0.01), volatility=flat(0.2)
    )
)
EUROPEAN = pb.Payoff(european=pb.VanillaPayoff(option_type=CALL, strike=100, time_to_expiry=1))


def request(payoff: pb.Payoff = EUROPEAN, process: pb.Process = ONE_ASSET, **settings: Any) -> pb.SimulateRequest:
    return pb.SimulateRequest(payoff=payoff, process=process, **({"paths": 4_096, "steps": 8, "seed": 7} | settings))


async def simulate(pricing: Pricing, asked: pb.SimulateRequest) -> dict[str, Any]:
    answer = await pricing.peer.call(SimulationServiceStub(pricing.peer.channel).Simulate, asked)
    assert answer.WhichOneof("outcome") == "simulation"
    return MessageToDict(answer.simulation)


async def test_a_price_comes_with_its_standard_error_and_greeks(pricing: Pricing) -> None:
    shown = await simulate(pricing, request(greeks=True))
    exact = black_scholes.price_and_greeks("call", 100, 100, 1, 0.03, 0.01, 0.2)
    assert shown["price"] == pytest.approx(exact.price, abs=max(4 * shown["standard_error"], 1e-6))
    assert shown["greeks"]["delta"] == pytest.approx(exact.delta, abs=0.01)
    assert shown["greeks"]["standard_errors"]["delta"] < 0.01
    assert (shown["engine"], shown["sampler"], shown["seed"]) == ("monte_carlo", "sobol", 7)
    assert await simulate(pricing, request(greeks=True)) == shown


PAYOFFS = [
    pb.Payoff(american=pb.VanillaPayoff(option_type=pricing_pb2.OPTION_TYPE_PUT, strike=100, time_to_expiry=1)),
    pb.Payoff(asian=pb.AsianPayoff(option_type=CALL, strike=100, time_to_expiry=1, averaging=pb.AVERAGING_GEOMETRIC)),
    pb.Payoff(
        barrier=pb.BarrierPayoff(
            option_type=CALL,
            barrier_type=pb.BARRIER_TYPE_DOWN_AND_OUT,
            strike=100,
            barrier=80,
            time_to_expiry=1,
            monitoring=pb.MONITORING_DISCRETE,
        )
    ),
    pb.Payoff(
        double_barrier=pb.DoubleBarrierPayoff(
            option_type=CALL,
            barrier_type=pb.BARRIER_TYPE_KNOCK_OUT,
            strike=100,
            lower_barrier=70,
            upper_barrier=150,
            time_to_expiry=1,
        )
    ),
    pb.Payoff(lookback=pb.LookbackPayoff(option_type=CALL, time_to_expiry=1)),
    pb.Payoff(digital=pb.DigitalPayoff(option_type=CALL, strike=100, time_to_expiry=1, settlement=pb.SETTLEMENT_ASSET)),
    pb.Payoff(cliquet=pb.CliquetPayoff(observations=4, time_to_expiry=1, local_cap=0.05, notional=100)),
    pb.Payoff(autocallable=pb.AutocallablePayoff(observations=4, time_to_expiry=1, coupon=0.02)),
]


@pytest.mark.parametrize("payoff", PAYOFFS, ids=lambda payoff: str(payoff.WhichOneof("kind")))
async def test_every_payoff_of_one_asset_is_priced(pricing: Pricing, payoff: pb.Payoff) -> None:
    shown = await simulate(pricing, request(payoff, paths=1_024))
    assert 0.0 < shown["price"] < 120.0
    assert math.isfinite(shown["standard_error"])
    assert (shown["upper_bound"] is not None) == (payoff.WhichOneof("kind") == "american")


OF_TWO_ASSETS = [
    pb.Payoff(basket=pb.BasketPayoff(option_type=CALL, strike=95, time_to_expiry=1, weights=[0.5, 0.5])),
    pb.Payoff(spread=pb.VanillaPayoff(option_type=CALL, strike=10, time_to_expiry=1)),
    pb.Payoff(best_of=pb.VanillaPayoff(option_type=CALL, strike=95, time_to_expiry=1)),
    pb.Payoff(worst_of=pb.VanillaPayoff(option_type=CALL, strike=95, time_to_expiry=1)),
]


@pytest.mark.parametrize("payoff", OF_TWO_ASSETS, ids=lambda payoff: str(payoff.WhichOneof("kind")))
async def test_every_payoff_of_several_assets_is_priced(pricing: Pricing, payoff: pb.Payoff) -> None:
    process = pb.Process(
        correlated_assets=pb.CorrelatedAssetsProcess(
            spots=[100, 90],
            rate=flat(0.03),
            dividend_yields=[flat(0.0), flat(0.01)],
            volatilities=[flat(0.2), pb.Curve(times=[0.5], values=[0.2, 0.3])],
            correlation=[1, 0.5, 0.5, 1],
        )
    )
    shown = await simulate(pricing, request(payoff, process, paths=1_024, greeks=True))
    assert shown["price"] > 0.0
    assert len(shown["greeks"]["delta"]) == 2


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (request(payoff=pb.Payoff()), r"^payoff must be one of american, asian"),
        (request(payoff=pb.Payoff(european=pb.VanillaPayoff(strike=1, time_to_expiry=1))), r"^payoff\.option_type"),
        (
            request(payoff=pb.Payoff(european=pb.VanillaPayoff(option_type=CALL, strike=-1, time_to_expiry=1))),
            r"^payoff\.strike must be",
        ),
        (request(process=pb.Process()), r"^process must be one of"),
        (request(paths=2**32 - 1, steps=2**16), r"^paths must be at most"),
        (
            request(
                process=pb.Process(
                    correlated_assets=pb.CorrelatedAssetsProcess(spots=[1, 1], rate=flat(0), correlation=[1, 2, 3])
                )
            ),
            r"^process\.correlation must be rows of 2",
        ),
        (
            request(
                process=pb.Process(
                    geometric_brownian_motion=pb.GeometricBrownianMotionProcess(
                        spot=100,
                        rate=flat(0),
                        dividend_yield=flat(0),
                        volatility=pb.Curve(times=[1.0], values=[0.2]),
                    )
                )
            ),
            r"^process\.volatility\.values must be one more than the 1 times",
        ),
        (
            request(
                payoff=pb.Payoff(asian=pb.AsianPayoff(option_type=CALL, strike=1, time_to_expiry=1, observations=3))
            ),
            r"^payoff\.observations must be a positive divisor of the 8 steps",
        ),
    ],
)
async def test_what_is_wrong_is_named(pricing: Pricing, asked: pb.SimulateRequest, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        await simulate(pricing, asked)


@pytest.mark.parametrize(
    ("payoff", "message"),
    [
        (OF_TWO_ASSETS[1], r"^process must be"),
        (OF_TWO_ASSETS[0], r"^payoff\.weights must be one for each of the 1 assets"),
        (
            pb.Payoff(asian=pb.AsianPayoff(option_type=CALL, strike=1, time_to_expiry=1, observations=100)),
            r"^payoff\.observations must be a positive divisor of the 128 steps",
        ),
        (
            pb.Payoff(european=pb.VanillaPayoff(option_type=CALL, strike=1, time_to_expiry=1e5)),
            r"^process\.rate must be at most 400",
        ),
    ],
)
async def test_long_work_that_does_not_fit_together_is_refused_and_no_job(
    pricing: Pricing, payoff: pb.Payoff, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        await simulate(pricing, request(payoff, paths=200_000, steps=128))
    async with pricing.database.system_transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM job")) == 0


async def test_long_work_is_a_job_with_the_same_result(pricing: Pricing) -> None:
    asked = request(paths=200_000, steps=128)
    answer = await pricing.peer.call(SimulationServiceStub(pricing.peer.channel).Simulate, asked)
    assert answer.WhichOneof("outcome") == "job"
    jobs = JobServiceStub(pricing.peer.channel)
    working = asyncio.create_task(JobWorker(pricing.database, {simulation_job.KIND: simulation_job.run}).run())
    try:
        async with asyncio.timeout(60):
            job = answer.job
            while job.status not in (job_pb2.JOB_STATUS_SUCCEEDED, job_pb2.JOB_STATUS_FAILED):
                await asyncio.sleep(0.1)
                job = (await pricing.peer.call(jobs.GetJob, job_pb2.GetJobRequest(id=job.id))).job
    finally:
        working.cancel()
    exact = black_scholes.price("call", 100, 100, 1, 0.03, 0.01, 0.2)
    assert MessageToDict(job.result)["price"] == pytest.approx(exact, abs=1e-3)
    pricing.act_as(BOB)
    with pytest.raises(NotFound):
        await pricing.peer.call(jobs.GetJob, job_pb2.GetJobRequest(id=job.id))


def test_the_job_asks_for_the_scope_of_the_call_that_starts_it() -> None:
    access = access_of(SimulationRpc.Simulate)
    assert access is not None
    assert dict(simulation_job.JOB_SCOPES) == {simulation_job.KIND: access.scope}


async def test_long_work_asked_for_twice_under_one_key_is_one_job(pricing: Pricing) -> None:
    pricing.act_as(BOB, key="overnight")
    ask = SimulationServiceStub(pricing.peer.channel).Simulate
    first = await pricing.peer.call(ask, request(paths=200_000, steps=128))
    assert await pricing.peer.call_replayable(ask, request(paths=200_000, steps=128)) == (first, True)
    with pytest.raises(InvalidInput, match="used before"):
        await pricing.peer.call(ask, request(paths=200_000, steps=256))
    async with pricing.database.system_transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM job")) == 1
