"""Many snapshots of one pass are what a fold of everything until then comes to, and a fold goes on from each."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import pytest

from quantmesh.portfolio.core.lots import FoldedLots, SecurityMovement, fold_lots
from quantmesh.portfolio.core.model import LotMethod, TransactionType
from quantmesh.portfolio.core.snapshot_history import Executed, History, Stretch, looks_at, make_history
from quantmesh.portfolio.core.snapshots import LotsBetween, lay_untouched_apart, left_apart, merged, tells_of

BEGAN = datetime(2020, 1, 2, tzinfo=UTC)
STEP = 10


def random_movements(count: int) -> list[SecurityMovement]:
    """More is bought than sold, so that there are many lots; some are dated alike, and once there is a split."""
    chance = random.Random(7)  # noqa: S311  movements that can be made again, no secret
    found: list[SecurityMovement] = []
    for number in range(count):
        sale = chance.random() < 0.4
        quantity, price = Decimal(chance.randrange(1, 5)), Decimal(chance.randrange(50, 99))
        movement = SecurityMovement(
            TransactionType.SELL if sale else TransactionType.BUY,
            chance.choice(["AAPL", "MSFT"]),
            "USD",
            BEGAN + timedelta(days=number - number % 3),
            -quantity if sale else quantity,
            quantity * price,
            transaction_id=UUID(int=number + 1),
        )
        if number == count // 2:
            held = fold_lots(found, LotMethod.FIFO)["AAPL"].position().quantity
            movement = movement._replace(
                type=TransactionType.SPLIT, symbol="AAPL", quantity=held, gross=Decimal(0), ratio=Decimal(2)
            )
        found.append(movement)
    return found


def history_of(movements: list[SecurityMovement], method: LotMethod, seqs: list[int] | None = None) -> History:
    seqs = seqs or list(range(1, len(movements) + 1))
    executed = [
        Executed(movement.executed_at, seq, "USD", Decimal(seq)) for movement, seq in zip(movements, seqs, strict=True)
    ]
    stretch = Stretch(None, {}, executed, movements, following=len(seqs) + 1, last_seq=len(seqs) + 5)
    return make_history(stretch, looks_at(stretch, STEP), method)


@pytest.mark.parametrize("method", LotMethod)
def test_each_look_is_what_a_fold_of_everything_until_then_comes_to(method: LotMethod) -> None:
    movements = random_movements(200)
    history = history_of(movements, method)
    for place, look in enumerate(history.looks):
        whole = fold_lots((each for each in movements if each.executed_at <= look.executed_until), method)
        rows = {row.held.symbol: row for row in history.rows if holds(row.first, row.last, place)}
        assert rows.keys() == whole.keys()
        for symbol, row in rows.items():
            assert row.held == whole[symbol].position()
            assert tells_of(row.folded, whole[symbol])


def holds(first: int | None, last: int | None, place: int) -> bool:
    return (first is None or first <= place) and (last is None or place < last)


@pytest.mark.parametrize("method", LotMethod)
def test_a_fold_goes_on_from_each_look_to_anywhere_before_the_next(method: LotMethod) -> None:
    movements = random_movements(200)
    history = history_of(movements, method)
    laid_apart = 0
    for place, look in enumerate(history.looks[:-1]):
        before = {row.held.symbol: row.folded for row in history.rows if holds(row.first, row.last, place)}
        laid_apart += sum(isinstance(lot, LotsBetween) for lots in before.values() for lot in lots.lots)
        following = history.looks[place + 1].executed_until
        since = [each for each in movements if look.executed_until < each.executed_at <= following]
        for end in range(1, len(since) + 1):
            on_top = fold_lots(since[:end], method, before)
            until = [each for each in movements if each.executed_at <= look.executed_until] + since[:end]
            for symbol, lots in on_top.items():
                assert left_apart(before[symbol], lots)
                assert lots.position() == fold_lots(until, method)[symbol].position()
    # The comparison is of something, where there can be many lots and a sale takes them from one end.
    assert (laid_apart > 0) is (method in {LotMethod.FIFO, LotMethod.LIFO})


def test_what_is_dated_alike_is_not_parted() -> None:
    history = history_of(random_movements(200), LotMethod.FIFO)
    days = [(look.executed_until - BEGAN).days for look in history.looks]
    assert all(day % 3 == 0 for day in days)
    assert [later - earlier for earlier, later in pairwise(days)] == [12] * 15 + [9]


def test_a_look_at_what_was_recorded_in_the_order_of_its_execution_is_true_from_its_last_number_on() -> None:
    movements = random_movements(60)
    in_order = history_of(movements, LotMethod.FIFO)
    assert [look.first_seq for look in in_order.looks] == [12, 24, 36, 48, 60]
    assert [look.cash for look in in_order.looks][:2] == [{"USD": Decimal(78)}, {"USD": Decimal(300)}]
    # The last that was executed was recorded first: until then each look lacks something of its numbers.
    late = history_of(movements, LotMethod.FIFO, [*range(2, 61), 1])
    assert [look.first_seq for look in late.looks] == [65, 65, 65, 65, 60]


@pytest.mark.parametrize("method", [LotMethod.FIFO, LotMethod.LIFO])
def test_lots_of_which_nothing_was_taken_are_told_as_one(method: LotMethod) -> None:
    bought = [each._replace(type=TransactionType.BUY, quantity=Decimal(2)) for each in random_movements(40)]
    bought = [each._replace(symbol="AAPL", ratio=None) for each in bought]
    before = fold_lots(bought, method)["AAPL"]
    sold = bought[-1]._replace(type=TransactionType.SELL, quantity=Decimal(-5), executed_at=BEGAN + timedelta(99))
    after = fold_lots([sold], method, {"AAPL": before})["AAPL"]
    kept = lay_untouched_apart(before, before.position(), after, method)
    assert [isinstance(lot, LotsBetween) for lot in kept.lots].count(True) == 1
    assert len(kept.lots) == 4
    assert tells_of(kept, before)
    assert not tells_of(kept, FoldedLots("AAPL", "USD", before.lots[1:], before.realized, before.moved_at))


def test_stretches_that_overlap_are_merged() -> None:
    assert merged([(5, 9), (0, 3), (2, 4), (8, 12), (20, 21)]) == [(0, 4), (5, 12), (20, 21)]
