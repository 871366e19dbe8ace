"""Recorded transactions in: each brings the leaf that is to be anchored."""

from uuid import UUID

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.api.portfolio.v1.events_pb2 import TransactionRecorded
from quantmesh.blockchain.adapters.store import add_leaf
from quantmesh.blockchain.core.model import Leaf
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.events import Consumer
from quantmesh.chassis.sql import Session


def transaction_consumer(clock: Clock) -> Consumer[TransactionRecorded]:
    async def keep_leaf(session: Session, envelope: EventEnvelope, message: TransactionRecorded) -> None:
        """What is no leaf of an owner's transaction raises ValueError, and ends as a dead letter."""
        leaf = Leaf(
            transaction_id=UUID(message.transaction.id),
            owner_id=UUID(envelope.owner_id),
            hash=message.leaf,
            received_at=clock.now(),
        )
        await add_leaf(session, leaf)

    return Consumer(
        "anchor-transactions",
        subject="qm.portfolio.transaction.recorded",
        message=TransactionRecorded,
        handle=keep_leaf,
    )
