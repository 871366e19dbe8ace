"""Snapshots of ledgers, made while they grow; and whether all that is derived is what its journal says."""

from collections.abc import Callable
from functools import partial

from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, Unavailable
from quantmesh.portfolio.adapters.snapshot_maker import SnapshotMaker
from quantmesh.portfolio.adapters.verifier import Verifier

from .history import Violation
from .scheduler import Died, Scheduler, current_actor

# So few that several lie within a run, also after entries that came late.
_MOST_EVENTS, _LONGEST_STEP, _COMMITS = 6, 4, 25


class Snapshots:
    def __init__(self, scheduler: Scheduler, database: Database, commits: Callable[[], int]) -> None:
        self._scheduler = scheduler
        self._database = database
        self._commits = commits

    async def make(self, is_over: Callable[[], bool]) -> None:
        """Once in a while; whoever dies with it leaves it to the next."""
        while not is_over():
            due = self._commits() + _COMMITS
            draw = current_actor().random
            maker = SnapshotMaker(
                self._database, due_events=draw.randrange(1, _MOST_EVENTS), step=draw.randrange(1, _LONGEST_STEP)
            )
            try:
                await self._scheduler.pause("snapshots", partial(self._is_due, due, is_over))
                await maker.make_due()
            except (Died, Unavailable, Conflict) as fault:
                self._scheduler.history.tell(f"snapshots: {type(fault).__name__}")

    def _is_due(self, commits: int, is_over: Callable[[], bool]) -> bool:
        return self._commits() >= commits or is_over()


async def check_ledgers(database: Database) -> None:
    if breaks := [str(broken) async for broken in Verifier(database).verify()]:
        raise Violation(f"a ledger is not what its journal says: {breaks[:3]}")
