"""Forecasts remade day by day, and the report on them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from quantmesh.quant import black_scholes
from quantmesh.risk.core.backtest import Method, Series, check_rolling, report, rolling
from quantmesh.risk.core.errors import MissingHistory, NotMeasurable, OutOfDomain, UnknownChoice
from quantmesh.risk.core.model import Book, History, Position
from quantmesh.risk.core.options import Option
from quantmesh.risk.core.value_at_risk import Wanted, value_at_risk_of

NOW = datetime(2022, 10, 3, 20, tzinfo=UTC)
BOOK = Book.of({"AAPL": (Decimal(10), "USD"), "JPM": (Decimal(-4), "USD")}, cash={})


def history(count: int = 121) -> History:
    steps = np.random.default_rng(8).normal(0.0, [0.02, 0.01], (count, 2))
    days = tuple(date(2022, 1, 3) + timedelta(days=day) for day in range(count))
    return History(("AAPL", "JPM"), np.array([100.0, 50.0]) * np.exp(steps.cumsum(axis=0)), NOW, days)


@pytest.mark.parametrize("method", ["historical", "parametric"])
def test_each_forecast_is_the_value_at_risk_of_the_evening_before(method: Method) -> None:
    past = history()
    series = rolling(BOOK, past, method, 0.95, days=20, window=60)
    assert series.expected_shortfall is not None
    assert series.days == past.days[-20:]
    for day in range(20):
        evening = len(past.days) - 20 + day
        until = History(past.symbols, past.closes[:evening], NOW, past.days[:evening])
        figure = value_at_risk_of(BOOK, until, Wanted(method, 0.95, 1, 60)).figure
        assert series.value_at_risk[day] == pytest.approx(figure.value)
        assert series.expected_shortfall[day] == pytest.approx(figure.expected_shortfall)
        earned = np.array([10.0, -4.0]) @ (past.closes[evening] - past.closes[evening - 1])
        assert series.profits[day] == pytest.approx(earned)


def test_a_book_with_options_is_priced_anew_at_the_moneyness_of_now() -> None:
    """Each forecast is the value at risk of the evening before, of the option whose strike has gone with the spot; what
    is earned is its price a trading day later less that of the evening.
    """
    past = history()
    put = Option("put", "european", 95.0, 0.5, 0.25, 10.0)

    def held(strike: float) -> Book:
        option = Position("AAPL", Decimal(2), replace(put, strike=strike))
        positions = [Position("AAPL", Decimal(10)), option, Position("JPM", Decimal(-4))]
        return Book.in_one_currency([(position, "USD") for position in positions], cash={})

    series = rolling(held(95.0), past, "historical", 0.95, days=5, window=60, rate=0.03)
    assert series.expected_shortfall is not None
    for day in range(5):
        evening = len(past.days) - 5 + day
        until = History(past.symbols, past.closes[:evening], NOW, past.days[:evening])
        before, after = past.closes[evening - 1], past.closes[evening]
        strike = 95.0 * before[0] / past.last[0]
        figure = value_at_risk_of(held(strike), until, Wanted("historical", 0.95, 1, 60, rate=0.03)).figure
        assert series.value_at_risk[day] == pytest.approx(figure.value)
        assert series.expected_shortfall[day] == pytest.approx(figure.expected_shortfall)
        prices = black_scholes.price("put", [before[0], after[0]], strike, [0.5, 0.5 - 1 / 252], 0.03, 0.0, 0.25)
        assert isinstance(prices, np.ndarray)
        earned = np.array([10.0, -4.0]) @ (after - before) + 20.0 * (prices[1] - prices[0])
        assert series.profits[day] == pytest.approx(earned)


def test_options_are_backtested_by_their_past_profits_alone_and_within_bounds() -> None:
    option = Position("AAPL", Decimal(1), Option("put", "american", 95.0, 0.5, 0.25))
    several = Book.in_one_currency([(option, "USD")] * 500, cash={})
    with pytest.raises(UnknownChoice, match="method must be historical where positions are options"):
        rolling(several, history(), "parametric", 0.99, 250, 500)
    with pytest.raises(OutOfDomain, match="window must be at most 750 with 250 days for 500 positions, 500 of them"):
        rolling(several, history(), "historical", 0.99, 250, 800)


def test_days_and_window_together_must_be_there() -> None:
    with pytest.raises(MissingHistory, match="122 closes"):
        rolling(BOOK, history(), "historical", 0.99, days=61, window=60)


@pytest.mark.parametrize(
    ("method", "reason"), [("historical", "the value at risk forecast for .* is 0"), ("parametric", "the book did not")]
)
def test_a_book_that_stood_still_has_no_forecast_to_test(method: Method, reason: str) -> None:
    past = history()
    still = History(past.symbols, np.full_like(past.closes, 100.0), past.as_of, past.days)
    with pytest.raises(NotMeasurable, match=reason):
        rolling(BOOK, still, method, 0.99, days=10, window=60)


@pytest.mark.parametrize(("field", "days", "window"), [("days", 2_501, 10), ("days", 1, 10), ("window", 10, 2_501)])
def test_more_than_an_answer_may_take_is_refused(field: str, days: int, window: int) -> None:
    with pytest.raises(OutOfDomain) as caught:
        check_rolling(days, window)
    assert [violation.field for violation in caught.value.violations] == [field]


def test_kupiecs_table_is_met() -> None:
    """Jorion, Value at Risk, 3rd ed., table 6.2: of 255 days at 99 % fewer than 7 exceptions pass at 95 %."""
    forecasts = np.full(255, 1.0)
    p_values = []
    for count in (6, 7):
        profits = np.zeros(255)
        profits[: 30 * count : 30] = -2.0
        p_values.append(report(Series(profits, forecasts, None), 0.99, 0).kupiec.p_value)
    assert p_values[0] > 0.05 > p_values[1]


def test_simulations_of_too_many_exceptions_are_refused() -> None:
    many = Series(np.zeros(1000), np.ones(1000), np.ones(1000))
    with pytest.raises(OutOfDomain, match=r"at least 0\.9 "):
        report(many, 0.8, 0)
