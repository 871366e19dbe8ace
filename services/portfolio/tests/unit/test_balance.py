"""The balance over time against a plain recount."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.portfolio.core.balance import BalanceHistory

from .samples import day

_amounts = st.lists(st.tuples(st.integers(1, 20), st.integers(-50, 50)), max_size=12).map(sorted)
_additions = st.lists(st.tuples(st.integers(0, 20), st.integers(-50, 50)), max_size=6).map(
    lambda pairs: sorted(pairs, key=lambda pair: pair[0])
)


def recount(opening: int, moves: list[tuple[int, int]], added: list[tuple[int, int]], at: int) -> int:
    """The lowest balance at `at` or after it, each after everything of its instant."""
    every = sorted([(when, 0, amount) for when, amount in moves] + [(when, 1, amount) for when, amount in added])
    balance = opening + sum(amount for when, _, amount in every if when <= at)
    lowest = balance
    for instant in sorted({when for when, _, _ in every if when > at}):
        balance += sum(amount for when, _, amount in every if when == instant)
        lowest = min(lowest, balance)
    return lowest


@given(opening=st.integers(0, 100), moves=_amounts, added=_additions, ahead=st.integers(0, 5))
def test_headroom_is_the_lowest_balance_from_then_on(
    opening: int, moves: list[tuple[int, int]], added: list[tuple[int, int]], ahead: int
) -> None:
    total = Decimal(opening + sum(amount for _, amount in moves))
    history = BalanceHistory(total, [(day(when), Decimal(amount)) for when, amount in moves])
    for when, amount in added:
        history.add(day(when), Decimal(amount))
    at = max((when for when, _ in added), default=0) + ahead
    assert history.headroom(day(at)).amount == recount(opening, moves, added, at)
    assert history.latest() == total + sum(amount for _, amount in added)


def test_headroom_names_the_later_instant_that_binds() -> None:
    history = BalanceHistory(Decimal(70), [(day(3), Decimal(-80)), (day(5), Decimal(50))])
    found = history.headroom(day(1))
    assert (found.amount, found.at, found.later) == (Decimal(20), day(3), True)
    assert history.at(day(1)) == Decimal(100)


def test_headroom_of_now_is_not_later() -> None:
    found = BalanceHistory(Decimal(5)).headroom(day(1))
    assert (found.amount, found.at, found.later) == (Decimal(5), day(1), False)


@given(opening=st.integers(0, 100), moves=_amounts, changes=_additions)
def test_a_changed_history_is_that_of_all_moves_together(
    opening: int, moves: list[tuple[int, int]], changes: list[tuple[int, int]]
) -> None:
    total = Decimal(opening + sum(amount for _, amount in moves))
    history = BalanceHistory(total, [(day(when), Decimal(amount)) for when, amount in moves])
    changed = history.changed([(day(when), Decimal(amount)) for when, amount in reversed(changes)])
    for at in range(22):
        assert changed.headroom(day(at)).amount == recount(opening, [*moves, *changes], [], at)


def test_additions_out_of_order_are_an_error() -> None:
    history = BalanceHistory()
    history.add(day(2), Decimal(1))
    earlier: datetime = day(1)
    with pytest.raises(ValueError, match="in order of time"):
        history.add(earlier, Decimal(1))
