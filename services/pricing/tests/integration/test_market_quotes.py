"""Calibrations and surfaces, from what the market says."""

import numpy as np
import pytest
from prometheus_client import REGISTRY

from quantmesh.api.pricing.v1 import calibration_pb2, pricing_pb2, surface_pb2
from quantmesh.api.pricing.v1.calibration_pb2_grpc import CalibrationServiceStub
from quantmesh.api.pricing.v1.surface_pb2_grpc import SurfaceServiceStub
from quantmesh.chassis.errors import InvalidInput
from quantmesh.quant import black_scholes, heston

from .conftest import Pricing

SPOT, RATE, DIVIDEND_YIELD = 100.0, 0.03, 0.01
STRIKES = [80.0, 90.0, 95.0, 100.0, 105.0, 110.0, 125.0]
EXPIRIES = [0.25, 0.5, 1.0]
HESTON = {"v0": 0.04, "kappa": 1.5, "theta": 0.06, "sigma": 0.5, "rho": -0.7}


def heston_price(option_type: str, strike: float, time_to_expiry: float) -> float:
    return float(heston.price(option_type, SPOT, strike, time_to_expiry, RATE, DIVIDEND_YIELD, **HESTON))


def quotes(*, both: bool = False) -> list[calibration_pb2.Quote]:
    """Prices of a market that Heston made: out of the money, or a call and a put at every strike."""
    kinds = {"call": pricing_pb2.OPTION_TYPE_CALL, "put": pricing_pb2.OPTION_TYPE_PUT}
    return [
        calibration_pb2.Quote(
            option_type=number, strike=strike, time_to_expiry=time, price=heston_price(name, strike, time)
        )
        for time in EXPIRIES
        for strike in STRIKES
        for name, number in kinds.items()
        if both or (name == "call") == (strike > SPOT)
    ]


def market(given: list[calibration_pb2.Quote], *, forwards_from_parity: bool = False) -> surface_pb2.SurfaceQuotes:
    return surface_pb2.SurfaceQuotes(
        quotes=given,
        spot=SPOT,
        rate=RATE,
        dividend_yield=DIVIDEND_YIELD,
        forwards_from_parity=forwards_from_parity,
    )


async def calibrate(
    pricing: Pricing, given: list[calibration_pb2.Quote], model: pricing_pb2.Model.ValueType = pricing_pb2.MODEL_HESTON
) -> calibration_pb2.CalibrateResponse:
    request = calibration_pb2.CalibrateRequest(
        model=model, quotes=given, spot=SPOT, rate=RATE, dividend_yield=DIVIDEND_YIELD
    )
    return await pricing.peer.call(CalibrationServiceStub(pricing.peer.channel).Calibrate, request)


async def test_the_parameters_that_made_the_quotes_come_back(pricing: Pricing) -> None:
    found = await calibrate(pricing, quotes())
    assert found.converged
    assert {item.name: item.value for item in found.parameters} == pytest.approx(HESTON, rel=1e-3)
    assert len(found.residuals) == len(quotes())
    assert found.rmse < 1e-6
    assert all(item.lower <= item.value <= item.upper for item in found.parameters)


async def test_a_quote_that_cannot_be_is_named(pricing: Pricing) -> None:
    given = quotes()
    given[3].price = 150.0
    with pytest.raises(InvalidInput, match=r"^quotes\[3\]\.price must be"):
        await calibrate(pricing, given)
    given[3].implied_volatility = 0.2
    with pytest.raises(InvalidInput, match=r"^quotes\[3\] must be a price like the others"):
        await calibrate(pricing, given)
    with pytest.raises(InvalidInput, match=r"^quotes must be at least 5 quotes"):
        await calibrate(pricing, quotes()[:3])
    with pytest.raises(InvalidInput, match=r"^model must be one of"):
        await calibrate(pricing, quotes(), pricing_pb2.MODEL_BACHELIER)


async def test_a_quote_whose_bid_exceeds_its_ask_or_that_has_one_side_is_refused(pricing: Pricing) -> None:
    given = quotes()
    for quote in given:
        quote.bid = quote.price - 0.1
    request = surface_pb2.FitSurfaceRequest(market=market(given))
    with pytest.raises(InvalidInput, match=r"^quotes must be given with both"):
        await pricing.peer.call(SurfaceServiceStub(pricing.peer.channel).FitSurface, request)
    for quote in request.market.quotes:
        quote.ask = quote.price + 0.1
    request.market.quotes[2].ask = 0.0
    with pytest.raises(InvalidInput, match=r"^quotes\[2\]\.ask must be at least the bid"):
        await pricing.peer.call(SurfaceServiceStub(pricing.peer.channel).FitSurface, request)


async def test_what_a_fit_refuses_is_named_as_the_request_has_it(pricing: Pricing) -> None:
    wild = quotes()
    for quote in wild:
        quote.implied_volatility = 1e5
    with pytest.raises(InvalidInput, match=r"^quotes\[0\]\.implied_volatility must be from 1e-06 to 100"):
        await calibrate(pricing, wild)
    given = quotes(both=True)
    put = next(row for row, quote in enumerate(given) if quote.option_type == pricing_pb2.OPTION_TYPE_PUT)
    given[put].price = 1e200
    request = surface_pb2.FitSurfaceRequest(market=market(given, forwards_from_parity=True))
    with pytest.raises(InvalidInput, match=rf"^quotes\[{put}\]\.price must be a number"):
        await pricing.peer.call(SurfaceServiceStub(pricing.peer.channel).FitSurface, request)


async def test_a_surface_has_its_margins_and_is_read_between_quotes(pricing: Pricing) -> None:
    points = [surface_pb2.SurfacePoint(strike=97.0, time_to_expiry=0.5)]
    request = surface_pb2.FitSurfaceRequest(market=market(quotes()), points=points)
    answer = await pricing.peer.call(SurfaceServiceStub(pricing.peer.channel).FitSurface, request)
    assert len(answer.smiles) == len(EXPIRIES)
    assert len(answer.residuals) == len(quotes())
    assert answer.butterfly.value >= 0.0
    assert answer.calendar.value >= 0.0
    price = heston_price("put", 97.0, 0.5)
    expected = black_scholes.implied_volatility(price, "put", SPOT, 97.0, 0.5, RATE, DIVIDEND_YIELD)
    assert answer.volatilities[0] == pytest.approx(expected, abs=2e-3)


async def test_how_far_a_fit_lies_from_the_market_shows_in_the_metrics(pricing: Pricing) -> None:
    def errors(statistic: str) -> float:
        name = f"quantmesh_pricing_calibration_error_{statistic}"
        return REGISTRY.get_sample_value(name, {"model": "svi"}) or 0.0

    count, total = errors("count"), errors("sum")
    request = surface_pb2.FitSurfaceRequest(market=market(quotes()))
    answer = await pricing.peer.call(SurfaceServiceStub(pricing.peer.channel).FitSurface, request)
    assert errors("count") == count + 1
    assert errors("sum") - total == pytest.approx(np.sqrt(np.mean(np.square(answer.residuals))), rel=1e-6)


async def test_parity_tells_forwards_and_discount_factors(pricing: Pricing) -> None:
    request = surface_pb2.FitSurfaceRequest(market=market(quotes(both=True), forwards_from_parity=True))
    answer = await pricing.peer.call(SurfaceServiceStub(pricing.peer.channel).FitSurface, request)
    times = np.array([smile.time_to_expiry for smile in answer.smiles])
    forwards = [smile.forward for smile in answer.smiles]
    np.testing.assert_allclose(forwards, SPOT * np.exp((RATE - DIVIDEND_YIELD) * times), rtol=1e-9)
    np.testing.assert_allclose([smile.discount_factor for smile in answer.smiles], np.exp(-RATE * times), rtol=1e-9)
    request = surface_pb2.FitSurfaceRequest(market=market(quotes(), forwards_from_parity=True))
    with pytest.raises(InvalidInput, match=r"^quotes\[0\]\.time_to_expiry must be of an expiry with strikes"):
        await pricing.peer.call(SurfaceServiceStub(pricing.peer.channel).FitSurface, request)


@pytest.mark.parametrize("style", [pricing_pb2.EXERCISE_STYLE_EUROPEAN, pricing_pb2.EXERCISE_STYLE_AMERICAN])
async def test_local_volatility_reprices_the_surface(
    pricing: Pricing, style: pricing_pb2.ExerciseStyle.ValueType
) -> None:
    option = surface_pb2.LocalVolatilityOption(option_type=pricing_pb2.OPTION_TYPE_PUT, strike=95.0, time_to_expiry=0.5)
    request = surface_pb2.LocalVolatilityRequest(market=market(quotes()), options=[option], style=style)
    answer = await pricing.peer.call(SurfaceServiceStub(pricing.peer.channel).LocalVolatility, request)
    assert len(answer.volatilities) == len(answer.times) * len(answer.spots)
    european = heston_price("put", 95.0, 0.5)
    if style == pricing_pb2.EXERCISE_STYLE_EUROPEAN:
        assert answer.prices[0] == pytest.approx(european, abs=0.05)
    else:
        assert european < answer.prices[0] < european + 0.5


async def test_more_american_options_than_an_answer_may_take_are_refused_before_the_fit(pricing: Pricing) -> None:
    option = surface_pb2.LocalVolatilityOption(option_type=pricing_pb2.OPTION_TYPE_PUT, strike=95.0, time_to_expiry=0.5)
    request = surface_pb2.LocalVolatilityRequest(options=[option] * 51, style=pricing_pb2.EXERCISE_STYLE_AMERICAN)
    with pytest.raises(InvalidInput, match=r"^options must be at most 50 of american exercise, got 51"):
        await pricing.peer.call(SurfaceServiceStub(pricing.peer.channel).LocalVolatility, request)
