"""Work that several callers want at once, done together by one of them."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class _Turn(Enum):
    LEADS = "works for those that wait, itself among them"


@dataclass(frozen=True, slots=True, eq=False)
class _Caller(Generic[Item, Outcome]):
    item: Item
    place: Hashable
    told: "asyncio.Future[Outcome | _Turn]"

    @property
    def leads(self) -> bool:
        """Its turn has come, whether or not it has heard of that yet."""
        told = self.told
        return told.done() and not told.cancelled() and told.exception() is None and told.result() is _Turn.LEADS


class Grouped(Generic[Item, Outcome]):
    """At most `lanes` groups at once, of about the same size; who comes while all are taken is in one of the next.

    Beside a group another one begins where `least` wait, since few by themselves cost about as much as all together.
    No two of one `place` are in groups at the same time. `work` gives one outcome per item, in their order; what it
    raises, all in the group are told. It goes on where its leader is cancelled, unless it works for nobody else.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], Awaitable[Sequence[Outcome]]], *, lanes: int, most: int, least: int = 1
    ) -> None:
        self._work = work
        self._lanes = lanes
        self._most = most
        self._least = least
        self._leading = 0
        self._waiting: list[_Caller[Item, Outcome]] = []
        self._taken: set[Hashable] = set()

    @property
    def is_idle(self) -> bool:
        return not self._leading

    async def do(self, item: Item, place: Hashable) -> Outcome:
        caller: _Caller[Item, Outcome] = _Caller(item, place, asyncio.get_running_loop().create_future())
        self._waiting.append(caller)
        self._call_leaders()
        try:
            told = await self._told(caller)
        except asyncio.CancelledError:
            if caller.leads:
                self._step_back(caller)
            raise
        return await self._lead(caller) if isinstance(told, _Turn) else told

    async def _told(self, caller: _Caller[Item, Outcome]) -> Outcome | _Turn:
        return await caller.told

    def _call_leaders(self) -> None:
        """The first that wait for no other of their place, as many as there are lanes."""
        for caller in self._still_waiting() if self._leading < self._lanes else ():
            if self._leading >= self._lanes or (self._leading and len(self._waiting) < self._least):
                return
            if caller.place not in self._taken:
                self._waiting.remove(caller)
                self._taken.add(caller.place)
                self._leading += 1
                caller.told.set_result(_Turn.LEADS)

    def _still_waiting(self) -> list[_Caller[Item, Outcome]]:
        """A copy. Who was cancelled waits no more, also where its task had no turn since: it can be told nothing."""
        self._waiting = [caller for caller in self._waiting if not caller.told.done()]
        return list(self._waiting)

    def _step_back(self, *group: _Caller[Item, Outcome]) -> None:
        self._taken.difference_update(caller.place for caller in group)
        self._leading -= 1
        self._call_leaders()

    async def _lead(self, leader: _Caller[Item, Outcome]) -> Outcome:
        group = [leader, *self._followers()]
        serving = self._serve(group)
        # Only what others wait for as well goes on where its leader is cancelled.
        outcomes = await (serving if len(group) == 1 else asyncio.shield(asyncio.create_task(serving)))
        return outcomes[0]

    def _followers(self) -> list[_Caller[Item, Outcome]]:
        waiting = self._still_waiting()
        # The whole queue for one lane would leave the other with whoever comes next, one by one.
        share = max(self._least, -(-(len(self._taken) + len(waiting)) // self._lanes))
        found: list[_Caller[Item, Outcome]] = []
        stay: list[_Caller[Item, Outcome]] = []
        for caller in waiting:
            if len(found) < min(self._most, share) - 1 and caller.place not in self._taken:
                self._taken.add(caller.place)
                found.append(caller)
            else:
                stay.append(caller)
        self._waiting = stay
        return found

    async def _serve(self, group: Sequence[_Caller[Item, Outcome]]) -> Sequence[Outcome]:
        try:
            outcomes = await self._work([caller.item for caller in group])
        except BaseException as error:
            for follower in group[1:]:
                if not follower.told.done():
                    follower.told.set_exception(error)
            raise
        finally:
            self._step_back(*group)
        for follower, outcome in zip(group[1:], outcomes[1:], strict=True):
            if not follower.told.done():
                follower.told.set_result(outcome)
        return outcomes
