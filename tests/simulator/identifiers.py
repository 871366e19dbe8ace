"""Ids drawn from the seed: an aggregate's partition hangs on its id, and ties are broken by it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from quantmesh.chassis import ids

from .clock import VirtualClock
from .scheduler import current_actor, has_actor


@contextmanager
def seeded_ids(draw: random.Random, clock: VirtualClock) -> Iterator[None]:
    """While this is open. Whoever takes a step draws from its own source, as several may in one."""

    def urandom(size: int) -> bytes:
        return (current_actor().random if has_actor() else draw).randbytes(size)

    def ticks() -> int:
        """No order within a millisecond: the order of several in one step is not the seed's."""
        return int(clock.now().timestamp() * 1000) << 12 | int.from_bytes(urandom(2)) >> 4

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "os", SimpleNamespace(urandom=urandom))
        patch.setattr(ids, "ticks", ticks)
        yield
