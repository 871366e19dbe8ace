"""Risk, which tells of breaches of limits: some more often than once, and all of them again to a restored broker."""

import random
from collections import Counter
from collections.abc import Callable, Sequence

from quantmesh.api.common.v1.common_pb2 import Decimal, EventEnvelope
from quantmesh.api.risk.v1 import limits_pb2
from quantmesh.api.risk.v1.events_pb2 import LimitBreached
from quantmesh.chassis.events import EventBus
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.outbox import partition_of
from quantmesh.chassis.times import to_timestamp

from .commands import Account
from .scheduler import Died, Scheduler

_ALARMS = 5
_IS_TOLD = 0.1
_IS_TOLD_TWICE = 0.3


class Alarms:
    """`told` counts those of each portfolio."""

    def __init__(self, scheduler: Scheduler, bus: EventBus, accounts: Sequence[Account], draw: random.Random) -> None:
        self._scheduler = scheduler
        self._bus = bus
        self._accounts = accounts
        self._draw = draw
        self._envelopes: list[EventEnvelope] = []
        self._told_epoch = bus.epoch
        self.told: Counter[str] = Counter()

    @property
    def are_through(self) -> bool:
        return len(self._envelopes) == _ALARMS and self._told_epoch == self._bus.epoch

    async def run(self, is_over: Callable[[], bool]) -> None:
        await self._bus.ensure_stream("risk")
        while not is_over():
            try:
                await self._scheduler.pause("risk looks", lambda: is_over() or not self.are_through)
                await self._look()
            except Died:
                self._scheduler.history.tell("risk: Died")

    async def _look(self) -> None:
        if self._told_epoch != self._bus.epoch:
            self._told_epoch = self._bus.epoch
            for envelope in self._envelopes:
                await self._tell(envelope)
        elif not self.are_through and self._draw.random() < _IS_TOLD:
            self._envelopes.append(self._breach(self._draw.choice(self._accounts)))
            for _ in range(1 + (self._draw.random() < _IS_TOLD_TWICE)):
                await self._tell(self._envelopes[-1])

    def _breach(self, account: Account) -> EventEnvelope:
        self.told[account.portfolio_id] += 1
        version = self.told[account.portfolio_id]
        limit = limits_pb2.Limit(rule=limits_pb2.LIMIT_RULE_VALUE_AT_RISK, limit=Decimal(value="100000"))
        measured = limits_pb2.LimitUtilisation(
            limit=limit, value=Decimal(value="120000"), utilisation=1.2, state=limits_pb2.LIMIT_STATE_BREACHED
        )
        message = LimitBreached(portfolio_id=account.portfolio_id, utilisation=measured, definition_version=version)
        return EventEnvelope(
            event_id=str(uuid7()),
            aggregate_id=account.portfolio_id,
            aggregate_version=version,
            previous_version=version - 1,
            owner_id=str(account.owner_id),
            occurred_at=to_timestamp(self._scheduler.clock.now()),
            type=message.DESCRIPTOR.full_name,
            payload=message.SerializeToString(),
        )

    async def _tell(self, envelope: EventEnvelope) -> None:
        await self._bus.jetstream.publish(
            f"qm.risk.limit.breached.{partition_of(envelope.aggregate_id)}",
            envelope.SerializeToString(),
            timeout=1.0,
            headers={"Nats-Msg-Id": envelope.event_id},
        )
