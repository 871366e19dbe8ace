"""Forecasts remade day by day, and the report on them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from quantmesh.risk.core.backtest import Method, Series, check_rolling, report, rolling
from quantmesh.risk.core.errors import MissingHistory, OutOfDomain
from quantmesh.risk.core.model import Book, History
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


def test_days_and_window_together_must_be_there() -> None:
    with pytest.raises(MissingHistory, match="122 closes"):
        rolling(BOOK, history(), "historical", 0.99, days=61, window=60)


@pytest.mark.parametrize(("field", "days", "window"), [("days", 2_501, 10), ("days", 1, 10), ("window", 10, 2_501)])
def test_more_than_an_answer_may_take_is_refused(field: str, days: int, window: int) -> None:
    with pytest.raises(OutOfDomain) as caught:
        check_rolling(BOOK, days, window)
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
