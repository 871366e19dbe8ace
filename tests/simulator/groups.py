"""Groups of recordings, step by step.

Who waits to be in one waits for the scheduler's turn, which comes once the group has told it. What several have in
common is done by an actor of its own in their replica: it goes on where the one among them that leads goes away.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any

import pytest

from quantmesh.chassis.grouping import Grouped

from .clients import Replica
from .scheduler import Scheduler, current_actor


@contextmanager
def stepped_groups(scheduler: Scheduler, replicas: Sequence[Replica]) -> Iterator[None]:
    """While this is open."""
    told, serve = Grouped._told, Grouped._serve
    numbers = count(1)

    async def told_in_turn(group: Grouped[Any, Any], caller: Any) -> Any:
        # Where whoever waits dies, nobody asks for what it would have been told.
        caller.told.add_done_callback(lambda told: told.cancelled() or told.exception())
        if not caller.told.done():
            await scheduler.pause("a group", until=caller.told.done)
        return await told(group, caller)

    async def served_in_turn(group: Grouped[Any, Any], callers: Any) -> Any:
        if len(callers) == 1:
            return await serve(group, callers)
        leader = current_actor()
        replica = next(replica for replica in replicas if leader in replica.calls.values())
        scheduler.history.tell(f"{leader.name}: {len(callers)} recordings together at {replica.name}")
        work = partial(replica.work, partial(serve, group, callers))
        return await scheduler.delegate(f"group {next(numbers)} of {leader.name}", work)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Grouped, "_told", told_in_turn)
        patch.setattr(Grouped, "_serve", served_in_turn)
        yield
