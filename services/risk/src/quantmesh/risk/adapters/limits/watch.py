"""Watches limits: after each transaction, and by the clock with live quotes; tells of every crossing once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import psycopg

from quantmesh.api.portfolio.v1.events_pb2 import TransactionRecorded
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, NotFound, QuantmeshError, Unavailable
from quantmesh.chassis.events import Consumer, Event
from quantmesh.chassis.leadership import while_leading
from quantmesh.chassis.sql import Session
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.risk.adapters.limits.events import tell
from quantmesh.risk.adapters.limits.measuring import Measuring
from quantmesh.risk.adapters.limits.store import Due, LimitStore
from quantmesh.risk.core.limits.utilisation import crossings
from quantmesh.risk.core.ports import Accounts

log = get_logger(__name__)

_AT_ONCE = 8
_LOOK_SECONDS = 0.5
_FAULT_SECONDS = 1.0
# Half of the time between two looks at what is due: nobody waits for less.
_GATHER_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class LimitWatch:
    """One replica of the service watches. `every` is how often a portfolio with limits is measured at least."""

    database: Database
    measuring: Measuring
    accounts: Accounts
    clock: Clock
    every: timedelta

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await while_leading(self.database, "limits", self._watch)
            except psycopg.Error as fault:
                log.warning("the watch of limits waits for the database", error=str(fault))
                await asyncio.sleep(_FAULT_SECONDS)

    def consumer(self) -> Consumer[TransactionRecorded]:
        return Consumer(
            "limits",
            subject="qm.portfolio.transaction.recorded",
            message=TransactionRecorded,
            handle_together=self._hasten,
            concurrency=1,
            together=256,
            gather_seconds=_GATHER_SECONDS,
        )

    async def _hasten(self, session: Session, events: Sequence[Event[TransactionRecorded]]) -> None:
        """A recorded transaction makes its portfolio due; many of them make it due once."""
        await LimitStore(session).hasten({UUID(event.message.transaction.portfolio_id) for event in events})

    async def _watch(self) -> None:
        while True:
            try:
                async with self.database.system_transaction() as session:
                    due = await LimitStore(session).due(_AT_ONCE)
            except (Unavailable, Conflict) as fault:
                log.warning("the watch of limits waits", error=fault.detail)
                due = []
            await asyncio.gather(*(asyncio.create_task(self._guarded(each)) for each in due))
            if len(due) < _AT_ONCE:
                await asyncio.sleep(_LOOK_SECONDS)

    async def _guarded(self, due: Due) -> None:
        """What cannot be measured now, or never for a bug, is tried again later: it must not hold up the others."""
        set_call(CallContext().on_behalf_of(due.owner_id))
        try:
            await self.measure(due)
        except QuantmeshError as fault:
            log.warning("limits are measured later", portfolio_id=str(due.portfolio_id), error=fault.detail)
            await self._put_off(due)
        except Exception:
            log.exception("limits cannot be measured", portfolio_id=str(due.portfolio_id))
            await self._put_off(due)

    async def measure(self, due: Due) -> None:
        """Under the owner's identity. A portfolio that is gone is watched no more."""
        try:
            account = await self.accounts.account(str(due.portfolio_id), ())
        except NotFound:
            async with self.database.transaction(due.owner_id) as session:
                await LimitStore(session).forget(due.portfolio_id)
            return
        async with self.database.transaction(due.owner_id) as session:
            definition = await LimitStore(session).definition(due.portfolio_id)
        found = await self.measuring.utilisations(definition.limits, account)
        async with self.database.transaction(due.owner_id) as session:
            store = LimitStore(session)
            states = await store.lock_states(due.portfolio_id)
            if states is None or (await store.definition(due.portfolio_id)).version != definition.version:
                # Set anew meanwhile, and so due again.
                return
            crossed = crossings(states, found)
            await tell(session, definition, crossed, due.owner_id, account.as_of)
            await store.keep_states(due.portfolio_id, due.owner_id, crossed.states, self.clock.now())
            await store.put_off(due, self.every)

    async def _put_off(self, due: Due) -> None:
        try:
            async with self.database.transaction(due.owner_id) as session:
                await LimitStore(session).put_off(due, self.every)
        except (Unavailable, Conflict) as fault:
            log.info("limits stay due", portfolio_id=str(due.portfolio_id), error=fault.detail)
