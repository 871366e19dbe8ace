"""European options on a spot that falls by cash dividends, against nested integrals over the spots before each."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from quantmesh.quant import american, black_scholes

TIME, RATE, YIELD, VOLATILITY, STRIKE = 1.5, 0.04, 0.01, 0.3, 100.0
# Gauss and Legendre over nine standard deviations to each side.
NODES, WEIGHTS = np.polynomial.legendre.leggauss(240)
DEVIATES = 9.0 * NODES
DENSITY = 9.0 * WEIGHTS * np.exp(-0.5 * DEVIATES**2) / math.sqrt(2.0 * math.pi)


def exact_price(
    kind: str,
    spots: NDArray[np.float64],
    now: float,
    dividends: Sequence[tuple[float, float]],
    rate: float = RATE,
    volatility: float = VOLATILITY,
) -> NDArray[np.float64]:
    """Lognormal between dividends, each of which takes its amount, or all there is."""
    if not dividends:
        return np.asarray(black_scholes.price(kind, spots, STRIKE, TIME - now, rate, YIELD, volatility))
    (time, amount), *later = dividends
    length = time - now
    growth = (rate - YIELD - 0.5 * volatility**2) * length + volatility * math.sqrt(length) * DEVIATES
    after = np.maximum(spots[..., None] * np.exp(growth) - amount, 0.0)
    expected: NDArray[np.float64] = (
        math.exp(-rate * length) * exact_price(kind, after, time, later, rate, volatility) @ DENSITY
    )
    return expected


@pytest.mark.parametrize("kind", ["call", "put"])
@pytest.mark.parametrize("dividends", [[(0.7, 6.0)], [(0.4, 3.0), (1.1, 5.0)], [(0.02, 2.0), (1.48, 2.5)]])
def test_prices_are_the_nested_integrals(kind: str, dividends: list[tuple[float, float]]) -> None:
    spots = np.array([80.0, 100.0, 125.0])
    times, amounts = np.array(dividends).T
    prices = american.price_with_dividends(
        kind,
        spots,
        STRIKE,
        TIME,
        RATE,
        YIELD,
        VOLATILITY,
        times,
        amounts,
        exercise="european",
        accuracy="high_precision",
    )
    np.testing.assert_allclose(prices, exact_price(kind, spots, 0.0, dividends), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["call", "put"])
def test_greeks_are_slopes_of_the_nested_integrals(kind: str) -> None:
    spots, dividends = np.array([80.0, 100.0, 125.0]), [(0.4, 3.0), (1.1, 5.0)]
    times, amounts = np.array(dividends).T
    found = american.price_and_greeks_with_dividends(
        kind, spots, STRIKE, TIME, RATE, YIELD, VOLATILITY, times, amounts, exercise="european", accuracy="accurate"
    )
    up, down = (exact_price(kind, spots + move, 0.0, dividends) for move in (0.05, -0.05))
    middle = exact_price(kind, spots, 0.0, dividends)
    later, earlier = (exact_price(kind, spots, now, dividends) for now in (1e-4, -1e-4))
    wilder, calmer = (exact_price(kind, spots, 0.0, dividends, volatility=VOLATILITY + move) for move in (1e-4, -1e-4))
    dearer, cheaper = (exact_price(kind, spots, 0.0, dividends, rate=RATE + move) for move in (1e-4, -1e-4))
    np.testing.assert_allclose(found.price, middle, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.delta, (up - down) / 0.1, rtol=0, atol=2e-5)
    np.testing.assert_allclose(found.gamma, (up - 2.0 * middle + down) / 0.05**2, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.theta, (later - earlier) / 2e-4, rtol=0, atol=5e-3)
    np.testing.assert_allclose(found.vega, (wilder - calmer) / 2e-4, rtol=0, atol=1e-2)
    np.testing.assert_allclose(found.rho, (dearer - cheaper) / 2e-4, rtol=0, atol=1e-2)


def test_the_escrowed_model_underprices_calls_before_a_late_dividend() -> None:
    """Taking the dividend's worth off the spot takes its volatility away too."""
    escrowed = black_scholes.price("call", 100.0 - 8.0 * math.exp(-RATE * 1.4), STRIKE, TIME, RATE, YIELD, VOLATILITY)
    price = american.price_with_dividends(
        "call", 100.0, STRIKE, TIME, RATE, YIELD, VOLATILITY, [1.4], [8.0], exercise="european"
    )
    assert np.asarray(price) > np.asarray(escrowed) + 0.3
