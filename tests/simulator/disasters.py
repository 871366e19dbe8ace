"""What happens to the world between two steps: processes die, clients hang up, the market and the broker misbehave."""

from collections.abc import Awaitable, Callable, Sequence

from quantmesh.chassis.failpoints import Failpoint

from .broker import Broker
from .clients import Replica
from .cluster import Cluster
from .market import SeededMarket
from .scheduler import Actor, Died, Scheduler, State

_FAILPOINTS = frozenset(Failpoint)
# Of the virtual clock, on average: of one silence, between two deaths, and between two disasters of any kind.
_SILENCE_SECONDS, _DEATH_SECONDS, _DISASTER_SECONDS = 0.2, 2.0, 0.7


class Disasters:
    def __init__(
        self,
        scheduler: Scheduler,
        cluster: Cluster,
        replicas: Sequence[Replica],
        broker: Broker,
        market: SeededMarket,
        move_seconds: float | None,
    ) -> None:
        self._scheduler = scheduler
        self._cluster = cluster
        self._replicas = replicas
        self._broker = broker
        self._market = market
        self._draw = scheduler.draws("disasters")
        self._move = None if move_seconds is None else scheduler.recurring("move", move_seconds)
        self._silence_ends = scheduler.clock.now()
        self._death = scheduler.recurring("death", _DEATH_SECONDS)
        self._disaster = scheduler.recurring("disaster", _DISASTER_SECONDS)

    async def strike(self, waiting: Sequence[Actor], look: Callable[[], Awaitable[str]]) -> str:
        """Most of the time nothing; else what it was. Now and then `look` takes the place of a disaster."""
        if self._market.is_silent and self._scheduler.clock.now() >= self._silence_ends:
            self._market.is_silent = False
            return "market: speaks again"
        if self._move is not None and self._move.comes():
            return await self._market_moves()
        if self._death.comes() and (endangered := [actor for actor in waiting if actor.at in _FAILPOINTS]):
            return await self._kill(self._draw.choice(endangered))
        if not self._disaster.comes():
            return ""
        happening: Callable[[], Awaitable[str]] = self._draw.choices(
            [
                self._market_moves,
                self._market_stops,
                self._client_leaves,
                self._broker_fails,
                lambda: self._process_dies(waiting),
                look,
            ],
            [4, 1, 2, 2, 1, 2],
        )[0]
        return await happening()

    async def _kill(self, actor: Actor) -> str:
        """The process in which the actor is."""
        what = f"{actor.name} dies {actor.at}"
        for replica in self._replicas:
            if replica.has(actor):
                await replica.die(self._scheduler, self._cluster.portfolio_watcher)
                return f"{what}, and all of replica {replica.name}"
        self._scheduler.resume(actor, Died())
        return what

    async def _market_moves(self) -> str:
        return self._market.move()

    async def _market_stops(self) -> str:
        self._market.is_open = self._draw.random() < 0.7
        self._market.is_silent = self._draw.random() < 0.3
        self._silence_ends = self._scheduler.clock.after(self._draw, _SILENCE_SECONDS)
        return f"market: open {self._market.is_open}, silent {self._market.is_silent}"

    async def _client_leaves(self) -> str:
        calls = [(replica, call) for replica in self._replicas for call in replica.calls]
        if not calls:
            return ""
        replica, call = self._draw.choice(calls)
        actor = replica.calls[call]
        was_blocked = actor.state is State.BLOCKED
        replica.disconnect(call)
        if was_blocked and actor.backend is not None:
            # Its connection is thrown away; Postgres would notice that at some moment of its own.
            await self._cluster.portfolio_watcher.end([actor.backend])
            self._scheduler.locks_released()
        return f"{actor.name} hangs up"

    async def _broker_fails(self) -> str:
        if self._draw.random() < 0.5:
            self._broker.forget_ids()
            return "the duplicate window passes"
        size = self._draw.randrange(1, 6)
        self._broker.go_back(size)
        return f"the broker is restored without its last {size} messages"

    async def _process_dies(self, waiting: Sequence[Actor]) -> str:
        mortal = [
            actor
            for actor in waiting
            if any(replica.has(actor) for replica in self._replicas)
            or not (actor.name.startswith(("client", "operator")) or actor.at == "start")
        ]
        return await self._kill(self._draw.choice(mortal)) if mortal else ""
