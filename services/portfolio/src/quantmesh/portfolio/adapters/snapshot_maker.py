"""Makes snapshots of ledgers that have grown, in the background."""

import asyncio
from uuid import UUID

from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, Unavailable
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.adapters.store.snapshot_making import NewSnapshot, SnapshotMaking
from quantmesh.portfolio.core.fold_ledger import fold_ledger
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.snapshots import fold_name

log = get_logger(__name__)

# What a read then folds at most is done within some milliseconds.
_DUE_EVENTS = 500
# So many transactions are folded at once: the loop is not held for long, and views of the past have where to begin.
_STEP = 10_000
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
        """One snapshot further, in one transaction; whether nothing is left to do here."""
        async with self._database.system_transaction() as session:
            making = SnapshotMaking(session)
            if not await making.take_turn(portfolio_id):
                return True
            head = await making.head(portfolio_id)
            store = Store(session, head.owner_id)
            fold = fold_name(head.lot_method)
            previous = await store.snapshot(portfolio_id, View(seq=head.seq), fold)
            since = None if previous is None else previous.executed_until
            cut = await making.cut(portfolio_id, head.seq, since, self._step)
            # A log without a transaction has nothing after any time.
            until = cut or await making.last_executed(portfolio_id, head.seq) or head.recorded_at
            state = await fold_ledger(store, portfolio_id, head.lot_method, View(as_of=until, seq=head.seq))
            await making.add_snapshot(
                portfolio_id, NewSnapshot(state.snapshot, head, until, cut is None, state.folded, state.cash)
            )
        return cut is None
