"""A ledger is rebuilt from snapshot to snapshot as one fold would, however late entries are, and at its cost."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from hypothesis import example, given, settings
from hypothesis import strategies as st

from quantmesh.portfolio.core.held_days import by_quarter, changes
from quantmesh.portfolio.core.lots import SecurityMovement, fold_lots
from quantmesh.portfolio.core.model import LotMethod, TransactionType
from quantmesh.portfolio.core.ports import Journal, View
from quantmesh.portfolio.core.snapshots import Snapshot, all_after
from quantmesh.portfolio.core.verify_snapshots import NOTHING_REBUILT, Rebuilt, rebuild

BEGAN = datetime(2020, 1, 2, 15, tzinfo=UTC)
PORTFOLIO = UUID(int=1)


class RecordedMovements:
    """A journal of nothing else, in order of recording; `read` counts what was asked for."""

    def __init__(self, movements: Sequence[SecurityMovement]) -> None:
        self._recorded = list(enumerate(movements, start=1))
        self.read = 0

    async def movements(
        self, _: UUID, view: View, symbols: Collection[str] = (), since: Snapshot | None = None
    ) -> Sequence[SecurityMovement]:
        found = [
            (movement.executed_at, seq, movement)
            for seq, movement in self._recorded
            if seq <= (view.seq or 0)
            and (view.as_of is None or movement.executed_at <= view.as_of)
            and (not symbols or movement.symbol in symbols)
            and (since is None or seq > since.seq or movement.executed_at > since.executed_until)
        ]
        self.read += len(found)
        return [movement for _, _, movement in sorted(found, key=lambda each: each[:2])]

    async def cash(self, *_: object) -> Mapping[str, Decimal]:
        return {}

    async def flows_since(self, *_: object) -> Sequence[Any]:
        return ()

    async def income_since(self, *_: object) -> Sequence[Any]:
        return ()


def trade(number: int, symbol: str, at: datetime, units: int, price: int) -> SecurityMovement:
    kind = TransactionType.BUY if units > 0 else TransactionType.SELL
    return SecurityMovement(
        kind, symbol, "USD", at, Decimal(units), Decimal(abs(units) * price), transaction_id=UUID(int=number)
    )


def reversal(number: int, of: SecurityMovement) -> SecurityMovement:
    return of._replace(
        type=TransactionType.REVERSAL,
        quantity=-of.quantity,
        transaction_id=UUID(int=number),
        reverses=of.transaction_id,
    )


async def rebuilt_in_steps(
    movements: Sequence[SecurityMovement], method: LotMethod, step: int, window: int
) -> tuple[RecordedMovements, list[tuple[int, Rebuilt]]]:
    """At every `step` numbers of the log, each time in windows of so many days."""
    journal, found, rebuilt = RecordedMovements(movements), [], NOTHING_REBUILT
    for number, seq in enumerate(range(step, len(movements) + 1, step), start=1):
        end = max(movement.executed_at for movement in movements[:seq])
        snapshot = Snapshot(number, seq, seq, end, {}, all_after(seq))
        until = BEGAN if rebuilt.at is None else rebuilt.at.executed_until
        while True:
            until = min(until + timedelta(days=window), end)
            # It has as much of the port as is asked for.
            rebuilt = await rebuild(cast("Journal", journal), PORTFOLIO, method, rebuilt, snapshot, until)
            if until == end:
                break
        found.append((seq, rebuilt))
    return journal, found


# So many days before the newest entry (several on one day), units, and whether an earlier one is taken back instead.
_ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(["AAPL", "MSFT"]),
        st.sampled_from([-40, -9, -3, -1, 0, 0, 0, 1, 2]),
        st.integers(-6, 9).filter(bool),
        st.integers(0, 30),
    ),
    min_size=4,
    max_size=40,
)


@settings(deadline=None, max_examples=150)
@given(entries=_ENTRIES, method=st.sampled_from(LotMethod), step=st.integers(1, 7), window=st.sampled_from([1, 5, 400]))
@example(
    # Once it was late. Then there is more of the very instant of a mark, and much later something of soon after it.
    entries=[
        *(("AAPL", days, 1, 99) for days in (0, 1, -1, 0, 0, 0, 0)),
        *(("AAPL", 1, 2, 99) for _ in range(16)),
        ("AAPL", -15, 3, 99),
    ],
    method=LotMethod.FIFO,
    step=1,
    window=400,
)
def test_each_snapshot_is_rebuilt_as_one_fold_of_all_that_is_known(
    entries: list[tuple[str, int, int, int]], method: LotMethod, step: int, window: int
) -> None:
    movements: list[SecurityMovement] = []
    newest = BEGAN
    for number, (symbol, days, units, undone) in enumerate(entries, start=1):
        standing = {each.transaction_id for each in movements if each.reverses is None}
        standing -= {each.reverses for each in movements}
        if undone < len(movements) and movements[undone].transaction_id in standing:
            movements.append(reversal(number, movements[undone]))
        else:
            at = max(newest + timedelta(days=days), BEGAN)
            newest = max(newest, at)
            movements.append(trade(number, symbol, at, units, 5 + abs(units)))

    async def compare() -> None:
        _, found = await rebuilt_in_steps(movements, method, step, window)
        for seq, rebuilt in found:
            ordered = sorted(movements[:seq], key=lambda movement: movement.executed_at)
            whole = fold_lots(ordered, method)
            assert {symbol: replace(lots, days=()) for symbol, lots in whole.items()} == rebuilt.lots
            assert {symbol: lots.position() for symbol, lots in whole.items()} == rebuilt.positions
            for symbol, lots in whole.items():
                days = [
                    each for quarter in rebuilt.days[symbol].quarters() for each in rebuilt.days[symbol].of(quarter)
                ]
                assert changes(days) == changes(lots.days)
                assert rebuilt.days[symbol].quarters() == [*by_quarter(lots.days)]

    asyncio.run(compare())


def test_an_instrument_that_is_corrected_every_day_is_read_a_few_times_and_not_for_each_snapshot() -> None:
    movements: list[SecurityMovement] = []
    for day in range(600):
        at = BEGAN + timedelta(days=day)
        movements.append(trade(3 * day + 1, "AAPL", at, 2, 9))
        movements.append(trade(3 * day + 2, "AAPL", at - timedelta(days=3), 1, 8))
        movements.append(reversal(3 * day + 3, movements[-1]))
    journal, found = asyncio.run(rebuilt_in_steps(movements, LotMethod.FIFO, 30, 400))
    assert len(found) == 60
    # Of the newest window it is read twice, and what lies between two marks with it.
    assert journal.read < 5 * len(movements)
