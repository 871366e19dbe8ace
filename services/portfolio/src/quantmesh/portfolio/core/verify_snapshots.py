"""Snapshots against the journal: each is rebuilt from the one before it as that was rebuilt, the first from nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import zip_longest
from typing import NamedTuple
from uuid import UUID

from quantmesh.portfolio.core.daily_flows import DailyFlow, FlowTable, flow_table, summed_flows
from quantmesh.portfolio.core.daily_income import DailyIncome
from quantmesh.portfolio.core.fold_ledger import late_among, sum_of
from quantmesh.portfolio.core.fold_marks import FoldMark, fold_again, marks_before, with_mark
from quantmesh.portfolio.core.held_days import HeldDay, changes
from quantmesh.portfolio.core.lots import FoldedLots, Position, fold_lots
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.ports import Journal, View
from quantmesh.portfolio.core.read_history import summed_income
from quantmesh.portfolio.core.rebuilt_days import KeptQuarter, RebuiltDays
from quantmesh.portfolio.core.snapshots import Snapshot, tells_of


@dataclass(frozen=True, slots=True)
class LedgerBreak:
    """Where the ledger first differs from what its journal says; empty parts do not apply."""

    portfolio_id: UUID
    account: str
    commodity: str
    seq: int
    expected: str
    found: str

    def __str__(self) -> str:
        where = " ".join(part for part in (self.account, self.commodity) if part)
        return f"portfolio {self.portfolio_id}, {where}, at {self.seq}: expected {self.expected}, found {self.found}"


class KeptInstrument(NamedTuple):
    """What a snapshot has of one, its lots where they were written since the snapshot before."""

    position: Position
    realized: Decimal
    paid: Decimal
    lots: FoldedLots | None


@dataclass(frozen=True, slots=True)
class KeptSnapshot:
    """`flows` and `income` are of this snapshot and of those that were dropped between it and the one before."""

    instruments: Mapping[str, KeptInstrument]
    flows: FlowTable
    income: Sequence[DailyIncome]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What the journal comes to at a snapshot, or on the way to it; `lots` are of all instruments, and whole.

    `flows` and `income` are those since the snapshot before, `days` by symbol those of the whole life, `marks` of what
    was corrected once.
    """

    at: Snapshot | None
    lots: Mapping[str, FoldedLots]
    positions: Mapping[str, Position]
    flows: Sequence[DailyFlow] = ()
    income: Sequence[DailyIncome] = ()
    days: Mapping[str, RebuiltDays] = field(default_factory=dict)
    marks: Mapping[str, Sequence[FoldMark]] = field(default_factory=dict)


NOTHING_REBUILT = Rebuilt(None, {}, {})


async def rebuild(
    journal: Journal, portfolio_id: UUID, method: LotMethod, before: Rebuilt, snapshot: Snapshot, until: datetime
) -> Rebuilt:
    """From `before` on to `until`, on the way to `snapshot`, whose content is not looked at."""
    view = View(as_of=until, seq=snapshot.seq)
    movements = await journal.movements(portfolio_id, view, (), before.at)
    late = late_among(movements, before.lots)
    timely = (movement for movement in movements if movement.symbol not in late)
    folded = fold_lots(timely, method, before.lots)
    marks: dict[str, list[FoldMark]] = {}
    if before.at is not None:
        for symbol, late_at in late.items():
            # One at a time, since each may be read whole.
            folded[symbol], marks[symbol] = await fold_again(
                journal, portfolio_id, method, view, before.at, symbol, before.marks.get(symbol, ()), late_at
            )
    first_at = {movement.symbol: movement.executed_at for movement in reversed(movements)}
    for symbol in before.marks.keys() & folded.keys() - late.keys():
        marks[symbol] = with_mark(marks_before(before.marks[symbol], first_at[symbol]), folded[symbol])
    moved = await journal.cash(portfolio_id, view, before.at)
    cash = moved if before.at is None else sum_of(before.at.cash, moved)
    at = replace(snapshot, executed_until=until, cash=cash)
    positions = {symbol: lots.position() for symbol, lots in folded.items()}
    days = {symbol: before.days.get(symbol, RebuiltDays()).then(lots.days) for symbol, lots in folded.items()}
    return Rebuilt(
        at,
        {**before.lots, **{symbol: replace(lots, days=()) for symbol, lots in folded.items()}},
        {**before.positions, **positions},
        [*before.flows, *await journal.flows_since(portfolio_id, view, before.at)],
        [*before.income, *await journal.income_since(portfolio_id, view, before.at)],
        {**before.days, **days},
        {**before.marks, **marks},
    )


def first_difference(
    portfolio_id: UUID, snapshot: Snapshot, kept: KeptSnapshot, rebuilt: Rebuilt
) -> LedgerBreak | None:
    """Of what a snapshot keeps from what was rebuilt."""
    name = f"snapshot {snapshot.number}"

    def differs(what: str, commodity: str, expected: object, found: object) -> LedgerBreak:
        return LedgerBreak(portfolio_id, f"{name} {what}", commodity, snapshot.seq, str(expected), str(found))

    cash: Mapping[str, Decimal] = {} if rebuilt.at is None else rebuilt.at.cash
    for currency in sorted({*cash, *snapshot.cash}):
        expected, found = cash.get(currency), snapshot.cash.get(currency)
        if expected != found:
            return differs("cash", currency, expected, found)
    for symbol in sorted({*rebuilt.lots, *kept.instruments}):
        lots, position = rebuilt.lots.get(symbol), rebuilt.positions.get(symbol)
        instrument = kept.instruments.get(symbol)
        if lots is None or instrument is None or position != instrument.position:
            return differs("position", symbol, position, None if instrument is None else instrument.position)
        if (lots.realized, lots.paid) != (instrument.realized, instrument.paid):
            return differs("gains", symbol, (lots.realized, lots.paid), (instrument.realized, instrument.paid))
        if instrument.lots is not None and not tells_of(instrument.lots, lots):
            return differs("lots", symbol, lots, instrument.lots)
    for what, days in (
        ("flows", zip_longest(summed_flows([flow_table(rebuilt.flows)]).items(), summed_flows([kept.flows]).items())),
        ("income", zip_longest(summed_income(rebuilt.income), summed_income(kept.income))),
    ):
        for wanted, told in days:
            if wanted != told:
                return differs(f"{what} on {(wanted or told).day}", (wanted or told).currency, wanted, told)
    return None


def first_day_difference(
    portfolio_id: UUID, snapshot: Snapshot, kept: Iterable[KeptQuarter], rebuilt: Rebuilt
) -> LedgerBreak | None:
    """Of the days that are kept beside a snapshot, as far as its own, from what was rebuilt."""
    today = snapshot.executed_until.date()
    for (symbol, quarter), first_day, held in kept:
        days = rebuilt.days.get(symbol, RebuiltDays())
        before = days.last_before(quarter)
        found_days = [] if held is None else held.as_days()
        wanted, told = _changes(before, days.of(quarter), today), _changes(before, found_days, today)
        for expected, found in zip_longest(wanted, told):
            if expected != found:
                day = (expected or found).day
                return LedgerBreak(portfolio_id, f"day {day}", symbol, snapshot.seq, str(expected), str(found))
        begun = next((each.day for each in found_days), None)
        if first_day != begun:
            where = f"first day of the quarter from {quarter}"
            return LedgerBreak(portfolio_id, where, symbol, snapshot.seq, str(begun), str(first_day))
    return None


def _changes(before: Sequence[HeldDay], days: Iterable[HeldDay], until: date) -> list[HeldDay]:
    """What of `days` differs from the day before it, the first of them from the one in `before`."""
    told = [*before, *(each for each in days if each.day < until)]
    return changes(told)
