"""Makes snapshots of ledgers that have grown, in the background."""

import asyncio
from datetime import datetime
from uuid import UUID

from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, Unavailable
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.adapters.store.snapshot_making import Head, NewSnapshot, SnapshotMaking
from quantmesh.portfolio.adapters.store.snapshot_pass import SnapshotPass
from quantmesh.portfolio.adapters.store.snapshot_thinning import thin
from quantmesh.portfolio.core.fold_ledger import fold_ledger
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.snapshot_history import Stretch, looks_at, make_history
from quantmesh.portfolio.core.snapshots import Snapshot, fold_name, left_apart_to_stay

log = get_logger(__name__)

# What a read then folds at most is done within some milliseconds.
_DUE_EVENTS = 500
# A view of the past folds at most so many transactions, of which so many times as many are made snapshots of at once.
_STEP = 1_000
_STEPS_AT_ONCE = 50
_EVERY_SECONDS = 5.0


class SnapshotMaker:
    """Several processes may make snapshots side by side; of one portfolio only one does at a time."""

    def __init__(self, database: Database, *, due_events: int = _DUE_EVENTS, step: int = _STEP) -> None:
        self._database = database
        self._due_events = due_events
        self._step = step

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.make_due()
            except (Unavailable, Conflict) as fault:
                log.warning("snapshots are put off", error=fault.detail)
            await asyncio.sleep(_EVERY_SECONDS)

    async def make_due(self) -> None:
        """Of every portfolio that has grown, up to now."""
        async with self._database.system_transaction() as session:
            due = await SnapshotMaking(session).due(self._due_events)
        for portfolio_id in due:
            while not await self._take_step(portfolio_id):
                pass

    async def _take_step(self, portfolio_id: UUID) -> bool:
        """Further by one snapshot, or by many in one pass, in one transaction; whether nothing is left to do here."""
        async with self._database.system_transaction() as session:
            making = SnapshotPass(session)
            if not await making.take_turn(portfolio_id):
                return True
            head = await making.head(portfolio_id)
            store = Store(session, head.owner_id)
            fold = fold_name(head.lot_method)
            newest = await store.snapshot(portfolio_id, View(seq=head.seq), fold)
            done = await self._go_on(making, store, portfolio_id, head, newest)
            if done:
                # What no pass has come to again yet is found by where it ended: where one began, which has to stay.
                await thin(session, portfolio_id, fold)
        return done

    async def _go_on(
        self, making: SnapshotPass, store: Store, portfolio_id: UUID, head: Head, newest: Snapshot | None
    ) -> bool:
        late = 0 if newest is None else await making.came_late(portfolio_id, head.seq, newest)
        if late > self._step:
            # So many that every view of the past would have to fold them.
            newest, late = None, 0
        since = None if newest is None else newest.executed_until
        is_last = await making.cut(portfolio_id, head.seq, since, self._step) is None
        if is_last or late:
            until = (await making.last_executed(portfolio_id, head.seq) if is_last else since) or head.recorded_at
            await self._make_one(making, store, portfolio_id, head, until, whole=is_last)
            return is_last
        cut = await making.cut(portfolio_id, head.seq, since, self._step * _STEPS_AT_ONCE)
        await self._make_many(making, store, portfolio_id, head, newest, cut)
        return cut is None

    async def _make_one(
        self, making: SnapshotPass, store: Store, portfolio_id: UUID, head: Head, until: datetime, *, whole: bool
    ) -> None:
        """From whichever snapshots serve; where much is left for a pass, of what came late alone."""
        view = View(as_of=until, seq=head.seq)
        state = await fold_ledger(store, portfolio_id, head.lot_method, view, left_apart_to_stay)
        new = NewSnapshot(state.snapshot, head, until, whole, state.folded, state.cash)
        await making.add_snapshot(portfolio_id, new)

    async def _make_many(
        self,
        making: SnapshotPass,
        store: Store,
        portfolio_id: UUID,
        head: Head,
        base: Snapshot | None,
        cut: datetime | None,
    ) -> None:
        until = cut or await making.last_executed(portfolio_id, head.seq) or head.recorded_at
        movements = await store.movements(portfolio_id, View(as_of=until, seq=head.seq), (), base)
        symbols = {movement.symbol for movement in movements}
        lots = {} if base is None else await store.snapshot_lots(portfolio_id, base, symbols, whole=True)
        stretch = Stretch(
            base,
            lots,
            await making.executed(portfolio_id, head.seq, base, until),
            movements,
            await making.following(portfolio_id, head.seq, until),
            head.seq,
        )
        looks = await asyncio.to_thread(looks_at, stretch, self._step)
        # While Postgres sums what flowed, a thread folds what moved. No other task has the session, which would go on
        # with it once this one has failed.
        folding = asyncio.create_task(asyncio.to_thread(make_history, stretch, looks, head.lot_method))
        await making.add_flows(portfolio_id, head, base, looks)
        await making.add_history(portfolio_id, head, base, await folding, whole=cut is None)
