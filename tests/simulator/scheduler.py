"""One step at a time: whose turn it is was drawn from the seed, so that a run can be had again exactly.

An actor is a coroutine of production code. It stops at every statement that it is about to send, at every failpoint and
wherever it pauses, and goes on when its turn comes, at a time that it draws for itself: one more actor takes no turn
from the others, nor another order. Between two stops it is the only one that runs, but for those who wait in Postgres
for a lock that it gives back.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import partial
from operator import itemgetter
from typing import Any, Protocol, TypeVar

from quantmesh.chassis import failpoints

from .clock import Recurring, VirtualClock
from .history import History

Outcome = TypeVar("Outcome")
# Long enough for any statement here; a lock is asked about only after it.
_STATEMENT_SECONDS = 0.004
_STUCK_SECONDS = 20.0
# Between two steps of one actor, on average.
_STEP_SECONDS = 0.2


class Died(BaseException):
    """The process in which this ran is gone. No handler may catch it, hence no Exception."""


class Stuck(Exception):
    """Nobody can go on."""


class State(Enum):
    WAITING = "waits for its turn"
    RUNNING = "runs"
    BLOCKED = "waits for a lock"
    JOINED = "waits for what another does"
    ENDED = "has ended"


@dataclass(eq=False)
class Actor:
    """`at` names the point at which it waits, `backend` is the process of Postgres that it spoke to last; `blockers`
    are those that had the lock for which it was found to wait.

    Its turn is `due` at a time that is drawn once it can go on. Where it is doomed its process is gone, and it learns
    that at the next point, if not before.
    """

    name: str
    turns: random.Random
    random: random.Random
    state: State = State.RUNNING
    at: str = ""
    until: Callable[[], bool] | None = None
    due: datetime | None = None
    backend: int | None = None
    blockers: frozenset[int] = frozenset()
    task: "asyncio.Task[None] | None" = None
    turn: "asyncio.Future[None] | None" = None
    joined: "asyncio.Future[Any] | None" = None
    is_doomed: bool = False


_current: ContextVar[Actor] = ContextVar("simulator_actor")


class Locks(Protocol):
    """Postgres, asked from outside."""

    async def blockers(self, backend: int) -> list[int]: ...

    async def cancel(self, backend: int) -> None: ...


def current_actor() -> Actor:
    return _current.get()


def has_actor() -> bool:
    return _current.get(None) is not None


class Scheduler:
    """`disturb` is asked before each step; it may do something to the world, and says what."""

    def __init__(self, seed: int, locks: Locks) -> None:
        self.seed = seed
        self.clock = VirtualClock()
        self.history = History()
        self.actors: list[Actor] = []
        self._locks = locks
        self._changed = asyncio.Event()
        self._locks_released = False

    def draws(self, name: str) -> random.Random:
        """The same of one name in each run of the seed, whoever else draws."""
        return random.Random(f"{self.seed} {name}")  # noqa: S311  a failing seed replays

    def recurring(self, name: str, seconds: float) -> Recurring:
        return Recurring(self.clock, self.draws(name), seconds)

    def add(self, name: str, life: Callable[[], Coroutine[Any, Any, None]]) -> Actor:
        """Its first step is drawn like any other."""
        actor = Actor(name, turns=self.draws(f"turns of {name}"), random=self.draws(name))
        self.actors.append(actor)

        async def run() -> None:
            _current.set(actor)
            with failpoints.watched(self.pause):
                await self.pause("start")
                await life()

        actor.task = asyncio.create_task(run(), name=name)
        actor.task.add_done_callback(lambda _: self._become(actor, State.ENDED))
        return actor

    async def pause(self, at: str, until: Callable[[], bool] | None = None) -> None:
        """Wait for the next turn, of which there is none before `until`. Outside of an actor nobody waits."""
        actor = _current.get(None)
        if actor is None:
            return
        if actor.is_doomed:
            raise Died
        actor.at, actor.until, actor.due = at, until, None
        actor.turn = asyncio.get_running_loop().create_future()
        self._become(actor, State.WAITING)
        try:
            await actor.turn
        finally:
            actor.turn = None
            actor.state = State.RUNNING

    async def delegate(self, name: str, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Have an actor of its own do it, which goes on though whoever waits for it here goes away."""
        waiting = current_actor()
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        # Where nobody waits any more, nobody asks.
        done.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

        async def life() -> None:
            try:
                outcome = await work()
            except BaseException as error:  # noqa: BLE001  its death, too, is told to whoever waits
                self._told(waiting, done, partial(done.set_exception, error))
            else:
                self._told(waiting, done, partial(done.set_result, outcome))

        self.add(name, life)
        waiting.joined, waiting.at = done, name
        self._become(waiting, State.JOINED)
        return await done

    def locks_released(self) -> None:
        """A transaction has ended: those that waited for its locks may go on."""
        self._locks_released = True

    async def run(self, disturb: Callable[[], Awaitable[str]]) -> None:
        """Until all actors have ended; raises what one of them raised."""
        await self.settle()
        while waiting := [actor for actor in self.actors if actor.state is State.WAITING]:
            disturbance = await disturb()
            if disturbance:
                self.history.add(f"! {disturbance}")
                await self.settle()
                continue
            turns = self._turns(waiting)
            if not turns:
                raise Stuck("; ".join(f"{actor.name} {actor.state.value} at {actor.at!r}" for actor in self.actors))
            due, actor = min(turns, key=itemgetter(0))
            self.clock.reach(due)
            self.history.add(f"{actor.name}: {actor.at}")
            self.resume(actor)
            await self.settle()
        if left := [actor.name for actor in self.actors]:
            raise Stuck(f"{', '.join(left)} wait for each other")

    def end(self, actor: Actor) -> None:
        """Its process dies."""
        if actor.state is State.JOINED and actor.joined is not None:
            self._told(actor, actor.joined, partial(actor.joined.set_exception, Died()))
        elif actor.state is State.WAITING:
            self.resume(actor, Died())
        else:
            actor.is_doomed = True

    def resume(self, actor: Actor, error: BaseException | None = None) -> None:
        if actor.turn is None:
            raise Stuck(f"{actor.name} has no turn to take: it {actor.state.value}")
        actor.state = State.RUNNING
        if error is None:
            actor.turn.set_result(None)
        else:
            actor.turn.set_exception(error)

    async def settle(self) -> None:
        """Until everybody waits for a turn or a lock, or has ended."""
        await self._until_nobody_runs()
        while self._locks_released:
            self._locks_released = False
            for actor in self.actors:
                # It may wait for another lock by now, or have got that already: it is asked once more a moment later.
                if actor.state is State.BLOCKED and await self._blockers(actor) != actor.blockers:
                    self._turn(actor, State.BLOCKED, State.RUNNING)
            await self._until_nobody_runs()
        self.history.listen()
        for actor in self.actors:
            if actor.state is State.ENDED and actor.task is not None:
                actor.task.result()
        self.actors = [actor for actor in self.actors if actor.state is not State.ENDED]

    def _turns(self, waiting: Iterable[Actor]) -> list[tuple[datetime, Actor]]:
        """Of those who can go on, and when each does."""
        found = []
        for actor in waiting:
            if actor.until is not None and not actor.until():
                actor.due = None
                continue
            if actor.due is None:
                actor.due = self.clock.after(actor.turns, _STEP_SECONDS)
            found.append((actor.due, actor))
        return found

    async def _until_nobody_runs(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _STUCK_SECONDS
        while running := [actor for actor in self.actors if actor.state is State.RUNNING]:
            self._changed.clear()
            try:
                async with asyncio.timeout(_STATEMENT_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                for actor in running:
                    if actor.state is State.RUNNING and (blockers := await self._blockers(actor)):
                        await self._block(actor, blockers)
            if loop.time() > deadline:
                names = ", ".join(f"{actor.name} after {actor.at!r}" for actor in running)
                raise Stuck(f"neither a point nor a lock was reached by {names}")

    async def stop(self) -> None:
        """End whoever is left, after a failure."""
        tasks = [actor.task for actor in self.actors if actor.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _block(self, actor: Actor, blockers: frozenset[int]) -> None:
        """One waits for a lock at a time: who of several gets it next is chance, which no seed could repeat."""
        actor.blockers = blockers
        self._turn(actor, State.RUNNING, State.BLOCKED)
        for other in self.actors:
            is_ahead = other is not actor and other.state is State.BLOCKED
            if is_ahead and (other.backend in blockers or blockers & await self._blockers(other)):
                self._turn(actor, State.BLOCKED, State.RUNNING)
                await self._locks.cancel(actor.backend or 0)
                return

    async def _blockers(self, actor: Actor) -> frozenset[int]:
        return frozenset() if actor.backend is None else frozenset(await self._locks.blockers(actor.backend))

    def _told(self, waiting: Actor, done: "asyncio.Future[Any]", tell: Callable[[], None]) -> None:
        """Whoever waited may have died, or gone away, and may wait for something else by now."""
        if waiting.joined is done:
            waiting.joined = None
            self._turn(waiting, State.JOINED, State.RUNNING)
        if not done.done():
            tell()

    @staticmethod
    def _turn(actor: Actor, before: State, after: State) -> None:
        """It may have gone on while Postgres was asked."""
        if actor.state is before:
            actor.state = after

    def _become(self, actor: Actor, state: State) -> None:
        actor.state = state
        self._changed.set()
