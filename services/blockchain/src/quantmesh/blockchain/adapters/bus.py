"""Recorded transactions in: each brings the leaf that is to be anchored."""

from collections.abc import Sequence
from uuid import UUID

from quantmesh.api.portfolio.v1.events_pb2 import TransactionRecorded
from quantmesh.blockchain.adapters.store import add_leaves
from quantmesh.blockchain.core.model import Leaf
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.events import Consumer, Event
from quantmesh.chassis.sql import Session

# Leaves are anchored every few seconds, many at once; what they cost is the transactions that bring them.
_GATHER_SECONDS = 0.25


def transaction_consumer(clock: Clock) -> Consumer[TransactionRecorded]:
    async def keep_leaves(session: Session, events: Sequence[Event[TransactionRecorded]]) -> None:
        """What is no leaf of an owner's transaction raises ValueError, and ends as a dead letter."""
        now = clock.now()
        leaves = [
            Leaf(
                transaction_id=UUID(event.message.transaction.id),
                owner_id=UUID(event.envelope.owner_id),
                hash=event.message.leaf,
                received_at=now,
                traceparent=event.traceparent,
            )
            for event in events
        ]
        await add_leaves(session, leaves)

    return Consumer(
        "anchor-transactions",
        subject="qm.portfolio.transaction.recorded",
        message=TransactionRecorded,
        handle_together=keep_leaves,
        concurrency=1,
        together=256,
        gather_seconds=_GATHER_SECONDS,
    )
