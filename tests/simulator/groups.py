"""Who waits to be in a group of recordings waits for the scheduler's turn, which comes once the group has told it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from quantmesh.chassis.grouping import Grouped

from .scheduler import Scheduler


@contextmanager
def stepped_groups(scheduler: Scheduler) -> Iterator[None]:
    """While this is open."""
    told = Grouped._told

    async def told_in_turn(group: Grouped[Any, Any], caller: Any) -> Any:
        if not caller.told.done():
            await scheduler.pause("a group", until=caller.told.done)
        return await told(group, caller)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Grouped, "_told", told_in_turn)
        yield
