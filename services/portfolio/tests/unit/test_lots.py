"""Positions, lots and realised gains, by hand and by their invariants."""

from datetime import datetime
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.portfolio.core.lots import Lot, Position, SecurityMovement, fold_lots, positions_of
from quantmesh.portfolio.core.model import LotMethod, TransactionType
from quantmesh.portfolio.core.numbers import EXACT, ZERO, exactly, to_stored

from .samples import START, day


def moved(
    kind: str, quantity: str, gross: str = "0", at: datetime = START, ratio: Decimal | None = None
) -> SecurityMovement:
    return SecurityMovement(TransactionType(kind), "AAPL", "USD", at, Decimal(quantity), Decimal(gross), ratio)


def position(movements: list[SecurityMovement], method: LotMethod) -> Position:
    return positions_of(movements, method)["AAPL"]


def lots(movements: list[SecurityMovement], method: LotMethod) -> tuple[Lot, ...]:
    return fold_lots(movements, method)["AAPL"].lots


def _numbers(*values: int) -> tuple[Decimal, ...]:
    return tuple(Decimal(value) for value in values)


TWO_BUYS_ONE_SALE = [
    moved("buy", "10", "100", day(0)),
    moved("buy", "10", "200", day(1)),
    moved("sell", "-15", "300", day(2)),
]


def test_average_cost_relieves_the_mean() -> None:
    found = position(TWO_BUYS_ONE_SALE, LotMethod.AVERAGE)
    assert (found.quantity, found.cost, found.average_cost) == _numbers(5, 75, 15)
    assert found.realized_pnl == Decimal("75.00")


def test_fifo_relieves_the_oldest_lots_first() -> None:
    found = position(TWO_BUYS_ONE_SALE, LotMethod.FIFO)
    assert lots(TWO_BUYS_ONE_SALE, LotMethod.FIFO) == (Lot(Decimal(5), Decimal(100), day(1)),)
    assert (found.quantity, found.cost, found.average_cost) == _numbers(5, 100, 20)
    assert found.realized_pnl == Decimal("100.00")


@pytest.mark.parametrize("method", LotMethod)
def test_a_split_multiplies_units_and_keeps_cost(method: LotMethod) -> None:
    found = position([*TWO_BUYS_ONE_SALE, moved("split", "15", ratio=Decimal(4), at=day(3))], method)
    before = position(TWO_BUYS_ONE_SALE, method)
    assert found.quantity == 4 * before.quantity
    assert found.cost == before.cost
    assert found.average_cost == before.average_cost / 4


def test_what_a_split_s_rounding_leaves_is_in_the_last_lot() -> None:
    third = Decimal("0.333333333333333333")
    gained = Decimal("-1.333333333333333334")
    found = position(
        [moved("buy", "1", "3"), moved("buy", "1", "3"), moved("split", str(gained), ratio=third, at=day(1))],
        LotMethod.FIFO,
    )
    assert found.quantity == 2 + gained


def test_a_closed_position_keeps_its_gain() -> None:
    movements = [moved("buy", "3", "100"), moved("sell", "-3", "90", day(1))]
    found = position(movements, LotMethod.AVERAGE)
    assert (found.quantity, found.cost, found.average_cost) == _numbers(0, 0, 0)
    assert lots(movements, LotMethod.AVERAGE) == ()
    assert found.realized_pnl == Decimal("-10.00")


def test_selling_more_than_held_is_an_error() -> None:
    with pytest.raises(ValueError, match="more sold than held"):
        positions_of([moved("buy", "1", "10"), moved("sell", "-2", "10", day(1))], LotMethod.FIFO)


_trades = st.lists(
    st.tuples(st.decimals("0.001", "1000", places=9), st.decimals("0.01", "100000", places=2), st.integers(0, 100)),
    min_size=1,
    max_size=15,
)


@exactly
def history(trades: list[tuple[Decimal, Decimal, int]]) -> list[SecurityMovement]:
    """Buys as given; after each, so many percent of what is held are sold for half the price."""
    held = ZERO
    movements = []
    for number, (quantity, gross, percent) in enumerate(trades):
        movements.append(moved("buy", str(quantity), str(gross), day(number)))
        held += quantity
        sold = to_stored(held * percent / 100)
        if sold:
            movements.append(moved("sell", str(-sold), str(gross / 2), day(number)))
            held -= sold
    return movements


@given(trades=_trades, method=st.sampled_from(LotMethod))
def test_cost_is_conserved_and_gains_are_what_the_trading_account_says(
    trades: list[tuple[Decimal, Decimal, int]], method: LotMethod
) -> None:
    with localcontext(EXACT):
        movements = history(trades)
        found = position(movements, method)
        paid = sum((item.gross for item in movements if item.type is TransactionType.BUY), ZERO)
        received = sum((item.gross for item in movements if item.type is TransactionType.SELL), ZERO)
        assert found.quantity == sum((item.quantity for item in movements), ZERO)
        # The balance of trading:AAPL in USD is what was paid less what was received.
        assert abs((received - paid + found.cost) - found.realized_pnl) <= Decimal("0.005")
        assert all(lot.quantity > 0 for lot in lots(movements, method))


@given(trades=_trades)
def test_the_methods_agree_once_all_is_sold(trades: list[tuple[Decimal, Decimal, int]]) -> None:
    movements = history(trades)
    with localcontext(EXACT):
        left = -sum((item.quantity for item in movements), ZERO)
    if left:
        movements.append(moved("sell", str(left), "1", day(99)))
    average, fifo = (position(movements, method) for method in (LotMethod.AVERAGE, LotMethod.FIFO))
    assert average.realized_pnl == fifo.realized_pnl
    assert average.cost == fifo.cost == 0


@given(trades=_trades, method=st.sampled_from(LotMethod), cut=st.integers(0, 30))
def test_a_fold_that_goes_on_is_one_that_never_stopped(
    trades: list[tuple[Decimal, Decimal, int]], method: LotMethod, cut: int
) -> None:
    movements = history(trades)
    earlier = fold_lots(movements[:cut], method)
    assert {**earlier, **fold_lots(movements[cut:], method, earlier)} == fold_lots(movements, method)
