"""Positions, lots and realised gains, by hand and by their invariants."""

from datetime import datetime
from decimal import Decimal, localcontext
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.portfolio.core.ledger_errors import LotNotOpen
from quantmesh.portfolio.core.lots import FoldedLots, Lot, Position, SecurityMovement, fold_lots, positions_of
from quantmesh.portfolio.core.model import LotChoice, LotMethod, TransactionType
from quantmesh.portfolio.core.numbers import EXACT, ZERO, exactly, to_stored

from .samples import START, day


def moved(
    kind: str,
    quantity: str,
    gross: str = "0",
    at: datetime = START,
    ratio: Decimal | None = None,
    opens: UUID | None = None,
    lots: tuple[LotChoice, ...] = (),
) -> SecurityMovement:
    return SecurityMovement(
        TransactionType(kind), "AAPL", "USD", at, Decimal(quantity), Decimal(gross), ratio, opens, lots=lots
    )


def position(movements: list[SecurityMovement], method: LotMethod) -> Position:
    return positions_of(movements, method)["AAPL"]


def folded(movements: list[SecurityMovement], method: LotMethod, *, strict: bool = False) -> FoldedLots:
    return fold_lots(movements, method, strict=strict)["AAPL"]


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
    assert folded(TWO_BUYS_ONE_SALE, LotMethod.FIFO).lots == (Lot(Decimal(5), Decimal(100), day(1)),)
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
    assert folded(movements, LotMethod.AVERAGE).lots == ()
    assert found.realized_pnl == Decimal("-10.00")


def test_lifo_relieves_the_newest_lots_first() -> None:
    found = folded(TWO_BUYS_ONE_SALE, LotMethod.LIFO)
    assert [(lot.quantity, lot.cost, lot.opened_at) for lot in found.lots] == [(*_numbers(5, 50), day(0))]
    assert found.position().realized_pnl == Decimal("50.00")


FIRST, SECOND = UUID(int=1), UUID(int=2)
TWO_LOTS = [moved("buy", "10", "100", day(0), opens=FIRST), moved("buy", "10", "200", day(1), opens=SECOND)]


def named(*lots: tuple[UUID, str]) -> tuple[LotChoice, ...]:
    return tuple(LotChoice(opener, Decimal(quantity)) for opener, quantity in lots)


def test_specific_identification_relieves_what_a_sale_names() -> None:
    sale = moved("sell", "-8", "160", day(2), lots=named((SECOND, "5"), (FIRST, "3")))
    found = folded([*TWO_LOTS, sale], LotMethod.SPECIFIC, strict=True)
    assert [(lot.transaction_id, lot.quantity, lot.cost) for lot in found.lots] == [
        (FIRST, *_numbers(7, 70)),
        (SECOND, *_numbers(5, 100)),
    ]
    # 160 less 5 x 20 and 3 x 10.
    assert found.realized == 30


def test_a_sale_that_names_no_lots_takes_the_oldest() -> None:
    sale = moved("sell", "-5", "50", day(2))
    assert folded([*TWO_LOTS, sale], LotMethod.SPECIFIC) == folded([*TWO_LOTS, sale], LotMethod.FIFO)


@pytest.mark.parametrize("lots", [((SECOND, "11"),), ((UUID(int=3), "5"),), ((FIRST, "5"), (UUID(int=3), "6"))])
def test_a_lot_that_has_not_so_much_is_refused_where_sales_are_checked(lots: tuple[tuple[UUID, str], ...]) -> None:
    quantity = -sum(Decimal(taken) for _, taken in lots)
    movements = [*TWO_LOTS, moved("sell", str(quantity), "100", day(2), lots=named(*lots))]
    with pytest.raises(LotNotOpen, match="has not what is sold of it on 2020-01-04"):
        folded(movements, LotMethod.SPECIFIC, strict=True)
    # Read back, the journal is taken as it stands.
    assert folded(movements, LotMethod.SPECIFIC).position().quantity == 20 + quantity


@pytest.mark.parametrize("method", LotMethod)
def test_what_is_sold_without_being_held_is_a_short_lot_that_a_purchase_closes(method: LotMethod) -> None:
    short = [moved("sell", "-10", "1000", day(0)), moved("sell", "-10", "1400", day(1))]
    found = position(short, method)
    assert (found.quantity, found.cost, found.average_cost) == _numbers(-20, -2400, 120)
    covered = folded([*short, moved("buy", "10", "900", day(2))], method)
    kept = {LotMethod.AVERAGE: 1200, LotMethod.LIFO: 1000}.get(method, 1400)
    assert (covered.position().quantity, covered.position().cost) == _numbers(-10, -kept)
    assert covered.realized == 2400 - kept - 900


@pytest.mark.parametrize("method", LotMethod)
def test_a_sale_of_more_than_is_held_closes_and_opens_by_quantity(method: LotMethod) -> None:
    found = folded([moved("buy", "10", "100"), moved("sell", "-15", "300", day(1))], method)
    assert [(lot.quantity, lot.cost, lot.opened_at) for lot in found.lots] == [(*_numbers(-5, -100), day(1))]
    assert found.realized == 100


@pytest.mark.parametrize("method", LotMethod)
def test_what_was_reversed_never_was(method: LotMethod) -> None:
    wrong = moved("buy", "7", "700", day(1), opens=SECOND)
    reversal = moved("reversal", "-7", "700", day(1))._replace(transaction_id=UUID(int=9), reverses=SECOND)
    rest = [moved("buy", "10", "100", opens=FIRST), moved("sell", "-4", "80", day(2))]
    assert folded([rest[0], wrong, reversal, rest[1]], method) == folded(rest, method)


@pytest.mark.parametrize("quantity", ["4", "-4"])
@pytest.mark.parametrize("method", LotMethod)
def test_the_cost_of_closing_is_what_closing_relieves(quantity: str, method: LotMethod) -> None:
    sign = Decimal(quantity).copy_sign(Decimal(1)) / Decimal(quantity)
    kinds = ("buy", "sell") if sign > 0 else ("sell", "buy")
    held = [moved(kinds[0], str(sign * 3), "30", day(0)), moved(kinds[0], str(sign * 3), "60", day(1))]
    before = folded(held, method)
    after = folded([*held, moved(kinds[1], str(-Decimal(quantity)), "1", day(2))], method)
    assert before.cost_of(Decimal(quantity), method) == before.position().cost - after.position().cost


_trades = st.lists(
    st.tuples(st.decimals("0.001", "1000", places=9), st.decimals("0.01", "100000", places=2), st.integers(0, 180)),
    min_size=1,
    max_size=15,
)


@exactly
def history(trades: list[tuple[Decimal, Decimal, int]]) -> list[SecurityMovement]:
    """Buys as given; after each, so many percent of what it is sold for half the price, on the short side too."""
    held = ZERO
    movements = []
    for number, (quantity, gross, percent) in enumerate(trades):
        movements.append(moved("buy", str(quantity), str(gross), day(number)))
        held += quantity
        sold = to_stored(quantity * percent / 100)
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
        assert all(lot.quantity * found.quantity > 0 for lot in folded(movements, method).lots)


@given(trades=_trades)
def test_the_methods_agree_once_all_is_sold(trades: list[tuple[Decimal, Decimal, int]]) -> None:
    movements = history(trades)
    with localcontext(EXACT):
        left = -sum((item.quantity for item in movements), ZERO)
    if left:
        movements.append(moved("sell" if left < 0 else "buy", str(left), "1", day(99)))
    closed = [position(movements, method) for method in LotMethod]
    assert len({found.realized_pnl for found in closed}) == 1
    assert {found.cost for found in closed} == {ZERO}


@given(trades=_trades, method=st.sampled_from(LotMethod), cut=st.integers(0, 30))
def test_a_fold_that_goes_on_is_one_that_never_stopped(
    trades: list[tuple[Decimal, Decimal, int]], method: LotMethod, cut: int
) -> None:
    movements = history(trades)
    earlier = fold_lots(movements[:cut], method)
    assert {**earlier, **fold_lots(movements[cut:], method, earlier)} == fold_lots(movements, method)
