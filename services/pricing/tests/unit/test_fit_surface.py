"""Surfaces from quotes as markets give them."""

import math

import numpy as np
import pytest

from quantmesh.pricing.core.errors import InvalidArgument
from quantmesh.pricing.core.fit_surface import Parametrization, fit_surface
from quantmesh.pricing.core.market_quotes import MarketQuotes
from quantmesh.quant import black_scholes

STRIKES = np.array([20.0, 85.0, 90.0, 95.0, 100.0, 105.0, 110.0, 115.0])
SIGNS = np.where(STRIKES < 100.0, -1, 1).astype(np.int8)


def market(volatility: float, width: float) -> MarketQuotes:
    """Prices of a month's options; that of the first is far in the wing, a few times the least that is quoted."""
    prices = np.asarray(black_scholes.price(SIGNS, 100.0, STRIKES, 1 / 12, 0.0, 0.0, volatility))
    prices[0] = max(prices[0], 1e-12)
    return MarketQuotes(
        SIGNS,
        STRIKES,
        np.full(STRIKES.size, 1 / 12),
        prices,
        are_prices=True,
        bid=np.maximum(prices - width, 0.0),
        ask=prices + width,
        spot=100.0,
        rate=0.0,
        dividend_yield=0.0,
    )


@pytest.mark.parametrize(("parametrization", "most"), [("svi", 25), ("ssvi", 100)])
def test_more_expiries_than_a_caller_waits_for_are_refused(parametrization: Parametrization, most: int) -> None:
    times = np.linspace(0.1, 3.0, most + 1).repeat(STRIKES.size)
    signs, strikes = np.tile(SIGNS, most + 1), np.tile(STRIKES, most + 1)
    volatilities = np.full(times.size, 0.2)
    quotes = MarketQuotes(signs, strikes, times, volatilities, False, None, None, 100.0, 0.0, 0.0)
    with pytest.raises(InvalidArgument, match=f"quotes must be of at most {most} expiries for {parametrization}"):
        fit_surface(quotes, forwards_from_parity=False, parametrization=parametrization)


@pytest.mark.parametrize(
    ("spot", "rate", "dividend_yield", "field"),
    [(0.0, 0.0, 0.0, "spot"), (100.0, 900.0, 0.0, "rate"), (100.0, 50.0, -900.0, "dividend_yield")],
)
def test_a_forward_out_of_reach_is_told_by_what_was_sent(
    spot: float, rate: float, dividend_yield: float, field: str
) -> None:
    volatilities = np.full(STRIKES.size, 0.2)
    times = np.full(STRIKES.size, 1.0)
    quotes = MarketQuotes(SIGNS, STRIKES, times, volatilities, False, None, None, spot, rate, dividend_yield)
    with pytest.raises(InvalidArgument, match=f"{field} must be such that the forward") as caught:
        fit_surface(quotes, forwards_from_parity=False, parametrization="svi")
    assert [violation.field for violation in caught.value.violations] == [field]


def test_a_forward_that_parity_cannot_mean_is_said_of_the_quotes() -> None:
    signs, strikes = np.tile(np.array([1, -1], np.int8), 2), np.array([100.0, 100.0, 110.0, 110.0])
    prices = np.array([1.0, 300.0, 0.5, 309.5])
    quotes = MarketQuotes(signs, strikes, np.ones(4), prices, True, None, None, 100.0, 0.0, 0.0)
    with pytest.raises(InvalidArgument, match="quotes must be such that the forward, here -") as caught:
        fit_surface(quotes, forwards_from_parity=True, parametrization="ssvi")
    assert [violation.field for violation in caught.value.violations] == ["quotes"]


@pytest.mark.parametrize("parametrization", ["svi", "ssvi"])
def test_a_quote_far_in_the_wing_with_a_wide_spread_hardly_counts(parametrization: Parametrization) -> None:
    quotes = market(0.2, 0.02)
    spread = np.asarray(quotes.volatility_spread(np.full(STRIKES.size, 0.2)))
    assert spread[0] > 1e4 * spread[1:].max()
    fitted = fit_surface(quotes, forwards_from_parity=False, parametrization=parametrization).fit
    assert fitted.arbitrage.is_free
    at_the_money = fitted.surface.volatility(np.array([95.0, 100.0, 105.0]), 1 / 12)
    np.testing.assert_allclose(at_the_money, 0.2, atol=2e-3)
    assert math.isfinite(fitted.rmse)
