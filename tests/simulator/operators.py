"""An operator who halts the market or a symbol while anybody trades, and looks whether anything traded meanwhile."""

import random
from collections.abc import Callable
from itertools import count
from uuid import UUID

from quantmesh.api.portfolio.v1 import halts_pb2 as pb
from quantmesh.chassis.errors import QuantmeshError

from .clients import OUTCOME_IS_UNKNOWN, Replica
from .history import Violation
from .market import SYMBOLS
from .replica import Watcher
from .scheduler import Died, Scheduler

# In steps.
_LONGEST_LULL, _LONGEST_HALT = 15, 60
_OPERATOR = UUID(int=1000)
# What is placed under a kill switch is rejected, so that it holds back little.
_KINDS = (*(pb.HALT_KIND_OPERATOR,) * 5, pb.HALT_KIND_KILL_SWITCH)
# The market as often as one of its symbols.
_HALTED = (*("",) * len(SYMBOLS), *SYMBOLS)
# What is written is dated by a moment before its transaction began, which has then seen what was committed before.
_TRADED = """
    SELECT symbol, recorded_at FROM transaction
    WHERE order_id IS NOT NULL AND recorded_at > %s AND (%s = '' OR symbol = %s)
"""


class Operator:
    def __init__(
        self,
        scheduler: Scheduler,
        replicas: list[Replica],
        draw: random.Random,
        watcher: Watcher,
        is_over: Callable[[], bool],
    ) -> None:
        self._scheduler = scheduler
        self._replicas = replicas
        self._draw = draw
        self._watcher = watcher
        self._is_over = is_over

    async def live(self) -> None:
        for number in count():
            await self._while_away(_LONGEST_LULL)
            if self._is_over():
                return
            request = pb.ImposeHaltRequest(
                kind=self._draw.choice(_KINDS), symbol=self._draw.choice(_HALTED), cause=f"halt {number}"
            )
            imposed = await self._ask(f"halt {number}", "ImposeHalt", request)
            if not isinstance(imposed, pb.ImposeHaltResponse):
                continue
            since = self._scheduler.clock.now()
            self._scheduler.history.tell(f"operator: {imposed.halt.symbol or 'the market'} is halted")
            await self._while_away(_LONGEST_HALT)
            # Before it is lifted: whatever traded by now did so while it was in force.
            traded = await self._watcher.rows(_TRADED, [since, request.symbol, request.symbol])
            if traded:
                raise Violation(f"halted since {since} ({request.symbol or 'all'}), and traded: {traded[:3]}")
            await self._ask("", "LiftHalt", pb.LiftHaltRequest(id=imposed.halt.id))

    async def _while_away(self, turns: int) -> None:
        for _ in range(self._draw.randrange(1, turns)):
            await self._scheduler.pause("operator looks on")

    async def _ask(self, key: str, method: str, request: pb.ImposeHaltRequest | pb.LiftHaltRequest) -> object:
        """Until what came of it is known, so that no halt is left behind; None where it was refused."""
        while True:
            replica = self._draw.choice(self._replicas)
            try:
                return await replica.call(_OPERATOR, key, method, request)
            except (Died, QuantmeshError) as told:
                self._scheduler.history.tell(f"operator: {method} at {replica.name}: {type(told).__name__}")
                if not isinstance(told, OUTCOME_IS_UNKNOWN):
                    return None
            await self._scheduler.pause("repetition")
