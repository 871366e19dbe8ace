"""Calibrations and surfaces at the edge."""

from typing import Any

import pytest

from quantmesh.api.pricing.v1 import calibration_pb2, pricing_pb2, surface_pb2
from quantmesh.gateway.http.models.calibration import CalibrationShown, LocalVolatilityShown, SurfaceShown

from .edges import Edge

QUOTE = {"option_type": "put", "strike": 95, "time_to_expiry": 0.5, "price": 3.2, "bid": 3.1, "ask": 3.3}
SURFACE = surface_pb2.FitSurfaceResponse(
    parametrization=surface_pb2.PARAMETRIZATION_SSVI,
    smiles=[surface_pb2.Smile(time_to_expiry=0.5, forward=101, a=0.01, b=0.1, rho=-0.5, m=0.0, sigma=0.2)],
    residuals=[0.001],
    rmse=0.001,
    butterfly=surface_pb2.ArbitrageMargin(value=0.2, time_to_expiry=0.5),
    calendar=surface_pb2.ArbitrageMargin(value=0.01, strike=90, time_to_expiry=0.5),
    iterations=7,
    volatilities=[0.21],
)


async def test_quotes_are_passed_on_and_the_fit_is_shown(edge: Edge) -> None:
    edge.peers["pricing"].answers["Calibrate"] = calibration_pb2.CalibrateResponse(
        model=pricing_pb2.MODEL_SABR,
        parameters=[
            calibration_pb2.FittedParameter(name="alpha", value=0.2, lower=0.19, upper=0.21),
            calibration_pb2.FittedParameter(name="beta", value=0.5),
            calibration_pb2.FittedParameter(name="rho", value=-0.999, at_bound=True),
        ],
        residuals=[0.001],
        price_residuals=[0.02],
        rmse=0.001,
        iterations=5,
        converged=True,
        confidence=0.9,
    )
    body = {"model": "sabr", "spot": 100, "rate": 0.02, "quotes": [QUOTE], "fixed": {"beta": 0.5}, "confidence": 0.9}
    answer = await edge.http.post("/api/v2/options/calibrate", json=body)
    assert answer.status_code == 200, answer.text
    shown = CalibrationShown.model_validate(answer.json())
    assert shown.parameters == {"alpha": 0.2, "beta": 0.5, "rho": -0.999}
    assert shown.intervals["beta"] is None
    assert shown.at_bound == ["rho"]
    asked = edge.peers["pricing"].last("Calibrate")
    assert asked.quotes[0] == calibration_pb2.Quote(
        option_type=pricing_pb2.OPTION_TYPE_PUT, strike=95, time_to_expiry=0.5, price=3.2, bid=3.1, ask=3.3
    )
    assert (asked.model, asked.spot, asked.fixed["beta"]) == (pricing_pb2.MODEL_SABR, 100, 0.5)


async def test_a_surface_is_shown_with_its_margins(edge: Edge) -> None:
    edge.peers["pricing"].answers["FitSurface"] = SURFACE
    body = {
        "spot": 100,
        "quotes": [QUOTE],
        "forwards": "parity",
        "points": [{"strike": 97, "time_to_expiry": 0.4}],
    }
    answer = await edge.http.post("/api/v2/options/surface", json=body)
    assert answer.status_code == 200, answer.text
    shown = SurfaceShown.model_validate(answer.json())
    assert (shown.parametrization, shown.volatilities) == ("ssvi", [0.21])
    assert (shown.arbitrage.butterfly.strike, shown.arbitrage.calendar.strike) == (None, 90)
    asked = edge.peers["pricing"].last("FitSurface")
    assert asked.market.forwards_from_parity
    assert asked.points[0].strike == 97


async def test_local_volatilities_come_as_rows_of_spots(edge: Edge) -> None:
    edge.peers["pricing"].answers["LocalVolatility"] = surface_pb2.LocalVolatilityResponse(
        times=[0.0, 0.5],
        spots=[90, 100, 110],
        volatilities=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
        prices=[4.5],
        surface=SURFACE,
    )
    body: dict[str, Any] = {"spot": 100, "quotes": [QUOTE], "style": "american"}
    body["options"] = [{"option_type": "put", "strike": 95, "time_to_expiry": 0.5}]
    answer = await edge.http.post("/api/v2/options/local-volatility", json=body)
    assert answer.status_code == 200, answer.text
    shown = LocalVolatilityShown.model_validate(answer.json())
    assert shown.volatilities == [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]
    assert edge.peers["pricing"].last("LocalVolatility").style == pricing_pb2.EXERCISE_STYLE_AMERICAN


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"quotes": []}, "#/quotes"),
        ({"quotes": [QUOTE | {"implied_volatility": 0.2}]}, "#/quotes/0"),
        ({"quotes": [QUOTE | {"strike": -1}]}, "#/quotes/0/strike"),
        ({"model": "binomial"}, "#/model"),
        ({"spot": None}, "#/spot"),
        ({"confidence": 1}, "#/confidence"),
    ],
)
async def test_a_broken_rule_is_named_by_its_place(edge: Edge, change: dict[str, Any], pointer: str) -> None:
    body = {"model": "heston", "spot": 100, "quotes": [QUOTE]} | change
    answer = await edge.http.post("/api/v2/options/calibrate", json=body)
    assert answer.status_code == 422
    assert pointer in [item["pointer"] for item in answer.json()["errors"]]
