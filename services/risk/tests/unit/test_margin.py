"""Margin of books, and what brings one back within its equity."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from quantmesh.risk.core.errors import OutOfDomain
from quantmesh.risk.core.margin import Rule, Wanted, margin_of
from quantmesh.risk.core.model import Book, History, Position
from quantmesh.risk.core.options import Option

HISTORY = History(("AAPL", "JPM"), np.array([[99.0, 51.0], [100.0, 50.0]]), datetime(2022, 10, 3, 20, tzinfo=UTC))


def book(*positions: Position) -> Book:
    return Book.in_one_currency([(position, "USD") for position in positions], cash={"USD": Decimal(-6_000)})


BALANCED = book(Position("AAPL", Decimal(100)), Position("JPM", Decimal(200)))


@pytest.mark.parametrize(("rule", "requirement"), [("regulation_t", 5_000.0), ("portfolio", 3_000.0)])
def test_stocks_require_a_quarter_or_the_worst_move_of_fifteen_percent(rule: Rule, requirement: float) -> None:
    found = margin_of(BALANCED, HISTORY, Wanted(rule), has_cash=False)
    assert found.requirement == pytest.approx(requirement)
    assert found.equity is None
    assert found.shortfall is None


def test_a_books_own_equity_counts_its_cash() -> None:
    found = margin_of(BALANCED, HISTORY, Wanted("regulation_t"), has_cash=True)
    assert found.equity == pytest.approx(20_000 - 6_000)


@pytest.mark.parametrize(
    ("rates", "equity"),
    [({"EUR": "1", "USD": "0.8"}, 12_500.0), ({"EUR": "1.25", "USD": "1"}, 12_500.0), ({"USD": "1"}, None), ({}, None)],
)
def test_equity_counts_cash_in_other_currencies_too(rates: dict[str, str], equity: float | None) -> None:
    held = Book.in_one_currency(
        [(Position("AAPL", Decimal(100)), "USD")],
        cash={"EUR": Decimal(6_000), "USD": Decimal(-5_000)},
        rates={currency: Decimal(rate) for currency, rate in rates.items()},
    )
    found = margin_of(held, HISTORY, Wanted("regulation_t"), has_cash=True)
    assert found.equity == equity


@pytest.mark.parametrize("rule", ["regulation_t", "portfolio"])
def test_the_smallest_reduction_of_one_position_is_a_ready_book_that_passes(rule: Rule) -> None:
    equity = 0.9 * margin_of(BALANCED, HISTORY, Wanted(rule), has_cash=False).requirement
    found = margin_of(BALANCED, HISTORY, Wanted(rule, equity=equity), has_cash=False)
    assert found.shortfall is not None
    # A tenth of the whole, which is two tenths of either position.
    assert [(cure.change.symbol, cure.change.quantity) for cure in found.shortfall.cures] in (
        [("AAPL", Decimal(-20)), ("JPM", Decimal(-40))],
        [("JPM", Decimal(-40)), ("AAPL", Decimal(-20))],
    )
    cured = Book(tuple(found.shortfall.cured), "USD")
    assert margin_of(cured, HISTORY, Wanted(rule, equity=equity), has_cash=False).shortfall is None


@pytest.mark.parametrize("rule", ["regulation_t", "portfolio"])
def test_where_no_single_position_helps_all_are_reduced(rule: Rule) -> None:
    equity = 0.3 * margin_of(BALANCED, HISTORY, Wanted(rule), has_cash=False).requirement
    found = margin_of(BALANCED, HISTORY, Wanted(rule, equity=equity), has_cash=False)
    assert found.shortfall is not None
    assert not found.shortfall.cures
    assert found.shortfall.proportional == pytest.approx(0.7)
    assert [abs(position.quantity) for position in found.shortfall.cured] in (
        [Decimal(30), Decimal(60)],
        [Decimal(29), Decimal(59)],
        [Decimal(30), Decimal(59)],
        [Decimal(29), Decimal(60)],
    )
    cured = Book(tuple(found.shortfall.cured), "USD")
    assert margin_of(cured, HISTORY, Wanted(rule, equity=equity), has_cash=False).shortfall is None


def test_negative_equity_is_cured_by_a_deposit_alone() -> None:
    found = margin_of(BALANCED, HISTORY, Wanted("regulation_t", equity=-1.0), has_cash=False)
    assert found.shortfall is not None
    assert found.shortfall.amount == pytest.approx(5_001.0)
    assert found.shortfall.proportional is None
    assert not found.shortfall.cured


def test_fractions_of_a_share_are_closed_in_full() -> None:
    held = book(Position("AAPL", Decimal("0.5")))
    found = margin_of(held, HISTORY, Wanted("regulation_t", equity=1.0), has_cash=False)
    assert found.shortfall is not None
    assert [cure.change.quantity for cure in found.shortfall.cures] == [Decimal("-0.5")]
    assert not found.shortfall.cured


def test_a_large_book_with_a_shortfall_is_told_its_requirement() -> None:
    option = Option("put", "european", 95.0, 0.5, 0.25, 100.0)
    large = book(*[Position("AAPL", Decimal(-1), option)] * 101)
    with pytest.raises(OutOfDomain) as caught:
        margin_of(large, HISTORY, Wanted("regulation_t", equity=0.0), has_cash=False)
    assert [violation.field for violation in caught.value.violations] == ["equity"]
