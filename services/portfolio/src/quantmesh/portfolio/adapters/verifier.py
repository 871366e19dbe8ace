"""Rebuilds ledgers from their journals and compares, portfolio by portfolio, a window of the journal at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID

from prometheus_client import Gauge

from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, Unavailable
from quantmesh.chassis.sql import Session
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.adapters.store.day_verification import DayVerification
from quantmesh.portfolio.adapters.store.snapshot_making import SnapshotMaking
from quantmesh.portfolio.adapters.store.verification import Verification, VerifiedPortfolio
from quantmesh.portfolio.core.errors import PortfolioNotFound
from quantmesh.portfolio.core.rebuilt_days import InstrumentQuarter, QuarterSpan, compared_at
from quantmesh.portfolio.core.snapshots import Snapshot
from quantmesh.portfolio.core.verify_snapshots import (
    NOTHING_REBUILT,
    KeptSnapshot,
    LedgerBreak,
    Rebuilt,
    first_day_difference,
    first_difference,
    rebuild,
)

log = get_logger(__name__)

_WINDOW = 20_000
_QUARTERS = 500
_BREAKS = Gauge("quantmesh_ledger_breaks", "Portfolios whose ledger differs from what its journal says")
_VERIFIED = Gauge("quantmesh_ledger_verified_timestamp_seconds", "When all ledgers were last verified, Unix time")
# What is being looked at, for whoever waits.
Progress = Callable[[str], None]


class _Unreadable(Exception):
    """What is kept beside the journal was altered so that it is no text, number or column any more."""

    def __init__(self, where: str, found: Exception) -> None:
        super().__init__(where)
        self.where = where
        self.found = found


@contextmanager
def _reading(where: str) -> Iterator[None]:
    """What is kept: whatever its parts do not fit is named, as any other difference is."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        raise _Unreadable(where, error) from error


class Verifier:
    def __init__(self, database: Database, *, window: int = _WINDOW) -> None:
        self._database = database
        self._window = window

    async def run(self, every_seconds: float) -> None:
        """Until cancelled, all portfolios each time; the metric tells how many are broken."""
        while True:
            await asyncio.sleep(every_seconds)
            try:
                breaks = [broken async for broken in self.verify()]
            except (Unavailable, Conflict) as fault:
                log.warning("the ledgers' verification is put off", error=fault.detail)
                continue
            _BREAKS.set(len(breaks))
            _VERIFIED.set_to_current_time()
            for broken in breaks:
                log.error("a ledger is broken", difference=str(broken))

    async def verify(
        self, portfolio_id: UUID | None = None, progress: Progress = log.debug
    ) -> AsyncIterator[LedgerBreak]:
        """The first difference of each portfolio that has one. Raises PortfolioNotFound."""
        async with self._database.system_transaction() as session:
            portfolios = await Verification(session).portfolios(portfolio_id)
        if portfolio_id is not None and not portfolios:
            raise PortfolioNotFound(portfolio_id)
        for number, portfolio in enumerate(portfolios, start=1):
            progress(f"portfolio {number} of {len(portfolios)}: {portfolio.id}, {portfolio.seq} events")
            broken = await self._first_break(portfolio, progress)
            if broken is not None:
                yield broken

    async def _first_break(self, portfolio: VerifiedPortfolio, progress: Progress) -> LedgerBreak | None:
        for after in range(0, portfolio.seq, self._window):
            async with self._database.system_transaction() as session:
                until = min(after + self._window, portfolio.seq)
                broken = await Verification(session).break_in_range(portfolio.id, after, until)
            if broken is not None:
                return broken
            progress(f"entries to {until} of {portfolio.seq}")
        async with self._database.system_transaction() as session:
            broken = await Verification(session).break_at_once(portfolio.id)
        try:
            return broken or await self._broken_snapshot(portfolio, progress)
        except _Unreadable as unreadable:
            return LedgerBreak(
                portfolio.id, unreadable.where, "", portfolio.seq, "what can be read", repr(unreadable.found)
            )

    async def _broken_snapshot(self, portfolio: VerifiedPortfolio, progress: Progress) -> LedgerBreak | None:
        async with self._database.system_transaction() as session:
            with _reading("income beside snapshots"):
                broken = await DayVerification(session).misdated_income(portfolio.id, portfolio.seq)
            if broken is not None:
                return broken
            with _reading("snapshots"):
                spans = await DayVerification(session).spans(portfolio.id)
                all_series = await Verification(session).snapshots(portfolio)
            for series in all_series:
                broken = await self._broken_in_series(session, portfolio, series, spans, progress)
                if broken is not None:
                    return broken
        return None

    async def _broken_in_series(
        self,
        session: Session,
        portfolio: VerifiedPortfolio,
        series: Sequence[Snapshot],
        spans: Iterable[QuarterSpan],
        progress: Progress,
    ) -> LedgerBreak | None:
        verification, making, store = Verification(session), SnapshotMaking(session), Store(session, portfolio.owner_id)
        quarters = compared_at(spans, [snapshot.number for snapshot in series])
        rebuilt, previous = NOTHING_REBUILT, 0
        for snapshot in series:
            until = None
            while until != snapshot.executed_until:
                since = None if rebuilt.at is None else rebuilt.at.executed_until
                cut = await making.cut(portfolio.id, snapshot.seq, since, self._window)
                until = snapshot.executed_until if cut is None else min(cut, snapshot.executed_until)
                rebuilt = await rebuild(store, portfolio.id, portfolio.lot_method, rebuilt, snapshot, until)
            with _reading(f"snapshot {snapshot.number}"):
                instruments = await verification.kept(portfolio.id, snapshot, previous)
                if instruments is None:
                    continue
                kept = KeptSnapshot(
                    instruments,
                    await store.snapshot_flows(portfolio.id, snapshot.number, previous),
                    (await store.snapshot_income(portfolio.id, snapshot.number, previous)).items(),
                )
            compared = quarters.get(snapshot.number, set())
            if snapshot is series[-1]:
                # Of what has no row at all, none begins or ends.
                compared |= {
                    InstrumentQuarter(symbol, quarter)
                    for symbol, days in rebuilt.days.items()
                    for quarter in days.quarters()
                }
            broken = first_difference(portfolio.id, snapshot, kept, rebuilt) or await self._broken_day(
                session, portfolio, rebuilt, snapshot, sorted(compared)
            )
            if broken is not None:
                return broken
            previous, rebuilt = snapshot.number, replace(rebuilt, flows=(), income=())
            progress(f"snapshot {snapshot.number}, at {snapshot.seq}")
        return None

    async def _broken_day(
        self,
        session: Session,
        portfolio: VerifiedPortfolio,
        rebuilt: Rebuilt,
        snapshot: Snapshot,
        quarters: Sequence[InstrumentQuarter],
    ) -> LedgerBreak | None:
        for first in range(0, len(quarters), _QUARTERS):
            some = quarters[first : first + _QUARTERS]
            with _reading(f"days beside snapshot {snapshot.number}"):
                kept = await DayVerification(session).kept(portfolio.id, snapshot.number, some)
            broken = first_day_difference(portfolio.id, snapshot, kept, rebuilt)
            if broken is not None:
                return broken
        return None
