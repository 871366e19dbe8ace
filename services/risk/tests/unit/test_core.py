"""Books, histories and allocations, with no server."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from quantmesh.chassis.errors import InvalidInput
from quantmesh.risk.core.constraints import Constraints, Group
from quantmesh.risk.core.errors import (
    EmptyBook,
    InfeasibleConstraints,
    MissingHistory,
    NotMeasurable,
    OutOfDomain,
    SeveralCurrencies,
    UnknownChoice,
)
from quantmesh.risk.core.model import Book, History, Terms, checked_observations
from quantmesh.risk.core.optimize import Objective, Optimum, View, Wanted, optimum_of
from quantmesh.risk.core.orders import orders_to
from quantmesh.risk.core.value_at_risk import Wanted as WantedRisk
from quantmesh.risk.core.value_at_risk import value_at_risk_of

NOW = datetime(2022, 10, 3, 20, tzinfo=UTC)
SYMBOLS = ("AAPL", "JPM", "XOM")


def history(days: int = 301) -> History:
    rng = np.random.default_rng(5)
    steps = rng.normal([4e-4, 2e-4, 3e-4], [0.01, 0.02, 0.015], (days - 1, 3))
    return History(SYMBOLS, np.vstack([[100.0, 50.0, 80.0], [100.0, 50.0, 80.0] * np.exp(steps.cumsum(axis=0))]), NOW)


def book(**quantities: str) -> Book:
    return Book.of({symbol: (Decimal(text), "USD") for symbol, text in quantities.items()}, cash={"USD": Decimal(1000)})


def in_lots_of(lot_size: str) -> dict[str, Terms]:
    return dict.fromkeys(SYMBOLS, Terms("USD", Decimal(lot_size)))


def test_a_book_is_in_one_currency_and_holds_something() -> None:
    with pytest.raises(SeveralCurrencies, match="EUR, USD"):
        Book.of({"AAPL": (Decimal(1), "USD"), "SAP": (Decimal(1), "EUR")}, cash={})
    with pytest.raises(EmptyBook):
        book(AAPL="0").require_positions()


def test_too_little_history_says_how_much_there_is() -> None:
    with pytest.raises(MissingHistory, match=r"501 closes .* there are 301"):
        value_at_risk_of(book(AAPL="1", JPM="1", XOM="1"), history(), WantedRisk("historical", 0.99, 1, 500))
    with pytest.raises(MissingHistory):
        History(SYMBOLS, np.ones((1, 3)), NOW)
    with pytest.raises(OutOfDomain):
        checked_observations(10_001)


def test_exposures_are_quantities_at_the_last_close() -> None:
    past = history()
    risk = value_at_risk_of(book(AAPL="10", JPM="-4", XOM="0.5"), past, WantedRisk("parametric", 0.95, 10, 250))
    np.testing.assert_allclose(risk.market_values, np.array([10, -4, 0.5]) * past.closes[-1])
    assert risk.figure.contributions.sum() == pytest.approx(risk.figure.value)


@pytest.mark.parametrize(("confidence", "days"), [(1.0, 1), (0.2, 1), (0.99, 0)])
def test_a_parameter_out_of_its_domain_is_named(confidence: float, days: int) -> None:
    with pytest.raises(OutOfDomain) as caught:
        value_at_risk_of(book(AAPL="1", JPM="1", XOM="1"), history(), WantedRisk("historical", confidence, days, 100))
    assert caught.value.violations[0].field in {"confidence", "horizon_days"}


def best(past: History, objective: Objective) -> Optimum:
    return optimum_of(past, Wanted(objective, 300))


def test_each_objective_beats_equal_weights_on_its_own_terms() -> None:
    past = history()
    least = best(past, "minimum_variance")
    assert least.optimal.volatility < least.equal_weight.volatility
    assert least.current is None
    sharpest = optimum_of(past, Wanted("maximum_sharpe", 300, held=past.last * [10, 10, 10]))
    assert sharpest.current is not None
    assert sharpest.optimal.sharpe > max(sharpest.equal_weight.sharpe, sharpest.current.sharpe)
    for result in (least, sharpest, best(past, "risk_parity")):
        assert result.optimal.weights.sum() == pytest.approx(1.0, abs=1e-12)


def test_bounds_on_one_symbol_count_over_those_on_all() -> None:
    bounds = Constraints(maximum=0.4, by_symbol={"JPM": (0.3, None), "XOM": (None, 0.8)})
    limits = bounds.over(SYMBOLS, None)
    np.testing.assert_array_equal(limits.minimum, [0.0, 0.3, 0.0])
    np.testing.assert_array_equal(limits.maximum, [0.4, 0.4, 0.8])
    with pytest.raises(UnknownChoice, match="TSLA"):
        Constraints(by_symbol={"TSLA": (0.1, None)}).over(SYMBOLS, None)


def test_bounds_that_cannot_be_met_answer_with_a_change_that_passes() -> None:
    past = history()
    with pytest.raises(InfeasibleConstraints) as caught:
        optimum_of(past, Wanted("minimum_variance", 300, Constraints(maximum=0.3)))
    assert "maximum of AAPL" in caught.value.metadata["relaxation"]
    assert float(caught.value.metadata["shortfall"]) == pytest.approx(0.1)
    suggestion = json.loads(caught.value.metadata["suggestion"])["constraints"]
    relaxed = {symbol: (limits["minimum"], limits["maximum"]) for symbol, limits in suggestion["bounds"].items()}
    assert optimum_of(past, Wanted("minimum_variance", 300, Constraints(by_symbol=relaxed))).gap is not None
    with pytest.raises(OutOfDomain, match="constraints"):
        optimum_of(past, Wanted("risk_parity", 300, Constraints(maximum=0.9)))
    with pytest.raises(OutOfDomain, match="risk_free_rate"):
        optimum_of(past, Wanted("maximum_sharpe", 300, risk_free_rate=5.0))


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Wanted("maximum_sharpe", 300, risk_free_rate=5.0), "risk_free_rate"),
        (Wanted("minimum_variance", 5, estimator="garch_dcc"), "observations"),
        (Wanted("minimum_variance", 300, Constraints(cost=0.1)), "portfolio_id"),
        (Wanted("risk_parity", 300, Constraints(minimum=-0.5)), "constraints.minimum_weight"),
        (Wanted("risk_parity", 300, budgets={"AAPL": 1e308, "JPM": 1.0, "XOM": 1.0}), "budgets.AAPL"),
        (Wanted("risk_parity", 300, budgets={"TSLA": 1.0}), "budgets"),
        (Wanted("risk_parity", 300, budgets={"AAPL": 1.0, "JPM": 1.0}), "budgets.XOM"),
        (
            Wanted("risk_parity", 300, Constraints(minimum=0.0, by_symbol={"JPM": (0.3, None)})),
            "constraints.bounds.JPM.minimum",
        ),
        (
            Wanted("minimum_variance", 300, Constraints(by_symbol={"JPM": (-0.3, None)}, minimum_position=0.1)),
            "constraints.bounds.JPM.minimum",
        ),
        (
            Wanted("minimum_variance", 300, Constraints(groups=[Group("tech", (), maximum=0.5)])),
            "constraints.groups[0].symbols",
        ),
        (
            Wanted("minimum_variance", 300, Constraints(groups=[Group("tech", ("AAPL",), maximum=float("inf"))])),
            "constraints.groups[0]",
        ),
        (Wanted("black_litterman", 300, views=[View({"JPM": 1.0}, 0.1, 0.0)]), "views[0].confidence"),
        (
            Wanted("minimum_variance", 300, Constraints(groups=[Group("tech", ("AAPL", "AAPL"), maximum=0.5)])),
            "constraints.groups[0].symbols",
        ),
    ],
)
def test_what_an_optimisation_refuses_is_named_as_the_request_has_it(wanted: Wanted, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        optimum_of(history(), wanted)
    assert [violation.field for violation in caught.value.violations] == [field]


@pytest.mark.parametrize(
    ("constraints", "said"),
    [
        (Constraints(maximum=0.3), "maximum_weight must be left out: risk_parity has no room for it; it is 0.3."),
        (Constraints(cost=0.1), "cost must be left out: risk_parity has no room for it; it is 0.1."),
        (Constraints(groups=[Group("tech", ("AAPL",), maximum=0.5)]), "groups must be .* for it; it is 1 of them."),
    ],
)
def test_what_was_asked_for_is_repeated_as_it_was_sent(constraints: Constraints, said: str) -> None:
    with pytest.raises(OutOfDomain, match=f"constraints.{said}"):
        optimum_of(history(), Wanted("risk_parity", 300, constraints, held=np.ones(3)))


def test_a_long_list_of_symbols_is_not_repeated_in_an_error() -> None:
    many = [f"SYMBOL-{number}" for number in range(1000)]
    with pytest.raises(UnknownChoice, match="and 980 more") as caught:
        Constraints(by_symbol={"TSLA": (0.1, None)}).over(many, None)
    assert len(str(caught.value)) < 500


def test_holdings_worth_less_than_nothing_are_not_scaled_by_that() -> None:
    past = history()
    orders = orders_to(np.full(3, 1 / 3), past, book(AAPL="1", JPM="-1000"), in_lots_of("0.01"))
    assert next(order.quantity for order in orders if order.symbol == "XOM") > 0


def test_orders_lead_from_the_holdings_to_the_weights_in_whole_lots() -> None:
    past = history()
    held = book(AAPL="10", JPM="20")
    optimum = best(past, "minimum_variance")
    orders = orders_to(optimum.optimal.weights, past, held, in_lots_of("1"))
    after = {symbol: held.quantities.get(symbol, Decimal(0)) for symbol in SYMBOLS}
    cost = Decimal(0)
    for order in orders:
        assert order.quantity == order.quantity.to_integral_value()
        after[order.symbol] += order.quantity
        cost += order.quantity * order.price
    assert min(after.values()) >= 0
    worth = sum(after[symbol] * Decimal(repr(float(price))) for symbol, price in zip(SYMBOLS, past.last, strict=True))
    for symbol, weight, price in zip(SYMBOLS, optimum.optimal.weights, past.last, strict=True):
        assert float(after[symbol]) * price == pytest.approx(weight * float(worth - cost), abs=1.05 * price)


def test_without_holdings_the_cash_is_spent_and_no_more() -> None:
    past = history()
    optimum = best(past, "risk_parity")
    orders = orders_to(optimum.optimal.weights, past, book(), in_lots_of("0.01"))
    spent = sum(order.quantity * order.price for order in orders)
    assert Decimal(990) < spent <= Decimal(1000)


def test_cash_in_another_currency_buys_nothing() -> None:
    abroad = Book.of({}, cash={"EUR": Decimal(5000), "USD": Decimal(300)}, rates={"EUR": Decimal(1), "USD": Decimal(2)})
    orders = orders_to(np.full(3, 1 / 3), history(), abroad, in_lots_of("0.01"))
    assert Decimal(290) < sum(order.quantity * order.price for order in orders) <= Decimal(300)
    euros_alone = Book.of({}, cash={"EUR": Decimal(5000)})
    assert orders_to(np.full(3, 1 / 3), history(), euros_alone, in_lots_of("0.01")) == []


def test_closes_that_stood_still_have_no_variance_to_weigh() -> None:
    past = history()
    still = History(past.symbols, np.column_stack([past.closes[:, :2], np.full(len(past.closes), 80.0)]), NOW)
    with pytest.raises(NotMeasurable, match="XOM did not move"):
        best(still, "minimum_variance")


def test_correlations_that_change_are_not_fitted_to_more_than_a_request_has_time_for() -> None:
    with pytest.raises(OutOfDomain, match="observations must be at most 6666 to fit 3 symbols"):
        optimum_of(history(7_002), Wanted("minimum_variance", 7_000, estimator="garch_dcc"))
