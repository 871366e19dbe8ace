"""Aggregated Greeks against finite differences of the revalued book; concentration and liquidity by hand."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantmesh.quant import exposure, revaluation, value_at_risk
from quantmesh.quant.book import Book
from quantmesh.quant.errors import DomainError
from quantmesh.quant.scenarios import Scenarios

BOOK = Book.of(
    {"A": 100.0, "B": 40.0, "C": 10.0},
    underlying=["A", "A", "A", "B", "B"],
    instrument=["stock", "european", "american", "american", "european"],
    option_type=["call", "put", "put", "call", "call"],
    quantity=[50.0, 2.0, -3.0, 4.0, -1.0],
    multiplier=[1.0, 100.0, 100.0, 100.0, 100.0],
    strike=[0.0, 95.0, 105.0, 42.0, 38.0],
    time_to_expiry=[0.0, 0.5, 0.75, 1.0, 0.25],
    volatility=[0.0, 0.25, 0.2, 0.35, 0.4],
    dividend_yields={"B": 0.03},
    rate=0.04,
)


def profits(scenarios: Scenarios) -> np.ndarray:
    return revaluation.revalue(BOOK, scenarios, by="underlying", american_accuracy="high_precision").profits


def test_greeks_are_the_slopes_of_the_revalued_book() -> None:
    found = exposure.aggregated_greeks(BOOK, american_accuracy="high_precision")
    assert found.underlyings == ("A", "B", "C")
    step = 2e-3
    up, down = profits(Scenarios([[step], [-step]])).T
    np.testing.assert_allclose(found.dollar_delta, (up - down) / (2 * step), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.dollar_gamma, (up + down) / step**2, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.delta * BOOK.spot, found.dollar_delta)
    up, down = profits(Scenarios(volatility_shifts=[[1e-3], [-1e-3]])).T
    np.testing.assert_allclose(found.vega, (up - down) / 2e-3, rtol=1e-4)
    up, down = profits(Scenarios(rate_shifts=[1e-4, -1e-4])).T
    np.testing.assert_allclose(found.rho, (up - down) / 2e-4, rtol=1e-4)
    later = profits(Scenarios(elapsed_years=1e-5)).T[0]
    np.testing.assert_allclose(found.theta, later / 1e-5, rtol=2e-3, atol=1e-6)


def test_greeks_are_what_a_quadratic_value_at_risk_needs() -> None:
    greeks = exposure.aggregated_greeks(BOOK)
    shocks = np.diag([4e-6, 9e-6, 1e-6])
    quadratic = value_at_risk.parametric(
        shocks,
        greeks.dollar_delta,
        gammas=greeks.dollar_gamma,
        # Lognormal spots without drift earn half of their variance.
        thetas=greeks.theta / 252.0 + 0.5 * np.diagonal(shocks) * greeks.dollar_delta,
    )
    simulated = value_at_risk.monte_carlo(BOOK, shocks, paths=20_000)
    assert simulated.standard_error is not None
    assert abs(quadratic.value - simulated.value) < 3.0 * simulated.standard_error + 0.01 * quadratic.value


def test_values_add_up_to_the_book() -> None:
    found = exposure.aggregated_greeks(BOOK)
    assert found.value.sum() == pytest.approx(revaluation.present_values(BOOK, american_accuracy="accurate").sum())
    assert found.value[2] == found.vega[2] == 0.0


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.floats(0.1, 1e6))
def test_equal_positions_are_as_concentrated_as_their_number(count: int, value: float) -> None:
    found = exposure.concentration(np.full(count, -value))
    assert found.effective_number == pytest.approx(count)
    assert found.herfindahl == pytest.approx(1.0 / count)


def test_concentration_by_hand() -> None:
    found = exposure.concentration([50.0, -30.0, 20.0])
    assert found.herfindahl == pytest.approx(0.25 + 0.09 + 0.04)
    assert (found.largest, found.largest_weight) == (0, 0.5)


def test_liquidity_by_hand() -> None:
    found = exposure.liquidity([1_000, -50, 10, 0], [10.0, 100.0, 5.0, 1.0], [500, 1_000, 0, 0], participation_rate=0.2)
    np.testing.assert_allclose(found.days, [10.0, 0.25, math.inf, 0.0])
    assert found.longest_days == math.inf
    assert found.sold_in_a_day == pytest.approx((0.1 * 10_000 + 5_000) / 15_050)


def test_an_adjusted_value_adds_half_of_a_wide_spread() -> None:
    found = exposure.liquidity_adjusted(100.0, [10_000.0, -5_000.0], [0.002, 0.01], [0.001, 0.002], spread_multiple=2.0)
    np.testing.assert_allclose(found.costs, [0.5 * 10_000 * 0.004, 0.5 * 5_000 * 0.014])
    assert found.value == pytest.approx(100.0 + found.cost)
    assert found.cost == pytest.approx(found.costs.sum())


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("values", lambda: exposure.concentration([])),
        ("values", lambda: exposure.concentration([0.0, 0.0])),
        ("values", lambda: exposure.concentration([1.0, math.nan])),
        ("participation_rate", lambda: exposure.liquidity([1], [1], [1], participation_rate=0.0)),
        ("daily_volumes", lambda: exposure.liquidity([1], [1], [-1])),
        ("prices", lambda: exposure.liquidity([1], [1, 2], [1])),
        ("value_at_risk", lambda: exposure.liquidity_adjusted(-1.0, [1], [0], [0])),
        ("spread_multiple", lambda: exposure.liquidity_adjusted(1.0, [1], [0], [0], spread_multiple=math.inf)),
        ("mean_spreads", lambda: exposure.liquidity_adjusted(1.0, [1], [-0.1], [0])),
    ],
)
def test_what_is_out_of_domain_is_named(argument: str, call: Callable[[], object]) -> None:
    with pytest.raises(DomainError) as caught:
        call()
    assert caught.value.argument == argument
