"""Rebuilds ledgers from their journals and compares, portfolio by portfolio, a window of the journal at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from itertools import chain
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
from quantmesh.portfolio.core.lots import fold_lots
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.snapshots import Snapshot
from quantmesh.portfolio.core.verify_snapshots import (
    NOTHING_REBUILT,
    KeptSnapshot,
    LedgerBreak,
    first_day_difference,
    first_difference,
    rebuild,
)

log = get_logger(__name__)

_WINDOW = 20_000
_INSTRUMENTS = 20
_BREAKS = Gauge("quantmesh_ledger_breaks", "Portfolios whose ledger differs from what its journal says")
_VERIFIED = Gauge("quantmesh_ledger_verified_timestamp_seconds", "When all ledgers were last verified, Unix time")
# What is being looked at, for whoever waits.
Progress = Callable[[str], None]


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
        return broken or await self._broken_snapshot(portfolio, progress) or await self._broken_day(portfolio, progress)

    async def _broken_snapshot(self, portfolio: VerifiedPortfolio, progress: Progress) -> LedgerBreak | None:
        async with self._database.system_transaction() as session:
            for series in await Verification(session).snapshots(portfolio):
                broken = await self._broken_in_series(session, portfolio, series, progress)
                if broken is not None:
                    return broken
        return None

    async def _broken_in_series(
        self, session: Session, portfolio: VerifiedPortfolio, series: Sequence[Snapshot], progress: Progress
    ) -> LedgerBreak | None:
        verification, making, store = Verification(session), SnapshotMaking(session), Store(session, portfolio.owner_id)
        rebuilt, previous = NOTHING_REBUILT, 0
        for snapshot in series:
            until = None
            while until != snapshot.executed_until:
                since = None if rebuilt.at is None else rebuilt.at.executed_until
                cut = await making.cut(portfolio.id, snapshot.seq, since, self._window)
                until = snapshot.executed_until if cut is None else min(cut, snapshot.executed_until)
                rebuilt = await rebuild(store, portfolio.id, portfolio.lot_method, rebuilt, snapshot, until)
            instruments = await verification.kept(portfolio.id, snapshot, previous)
            if instruments is None:
                continue
            kept = KeptSnapshot(
                instruments,
                await store.snapshot_flows(portfolio.id, snapshot.number, previous),
                await store.snapshot_income(portfolio.id, snapshot.number, previous),
            )
            broken = first_difference(portfolio.id, snapshot, kept, rebuilt)
            if broken is not None:
                return broken
            previous, rebuilt = snapshot.number, replace(rebuilt, flows=(), income=())
            progress(f"snapshot {snapshot.number}, at {snapshot.seq}")
        return None

    async def _broken_day(self, portfolio: VerifiedPortfolio, progress: Progress) -> LedgerBreak | None:
        """Each row at the last snapshot that it is true in; of all instruments at the newest."""
        async with self._database.system_transaction() as session:
            days, store = DayVerification(session), Store(session, portfolio.owner_id)
            snapshots = [*chain(*await Verification(session).snapshots(portfolio))]
            for end in await days.ends(portfolio.id):
                snapshot = next((each for each in reversed(snapshots) if each.number < end), None)
                if snapshot is None:
                    continue
                newest = snapshot is snapshots[-1]
                symbols = await (days.moved(portfolio.id) if newest else days.changed(portfolio.id, end))
                for first in range(0, len(symbols), _INSTRUMENTS):
                    some = symbols[first : first + _INSTRUMENTS]
                    view = View(as_of=snapshot.executed_until, seq=snapshot.seq)
                    folded = fold_lots(await store.movements(portfolio.id, view, some), portfolio.lot_method)
                    kept = await days.kept(portfolio.id, snapshot.number, some)
                    broken = first_day_difference(portfolio.id, snapshot, kept, folded)
                    if broken is not None:
                        return broken
                    progress(f"days of {len(some)} instruments, at {snapshot.seq}")
        return None
