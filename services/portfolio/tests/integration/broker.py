"""Events of other services, as the broker would bring them."""

from typing import Any
from uuid import UUID, uuid4

from google.protobuf.message import Message
from nats.aio.msg import Msg

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.events import Consumer
from quantmesh.chassis.events.arrival import Arrival
from quantmesh.chassis.times import to_timestamp

from .fakes import Service


def envelope(service: Service, owner_id: UUID, aggregate_id: str, message: Message, version: int = 1) -> EventEnvelope:
    return EventEnvelope(
        event_id=str(uuid4()),
        aggregate_id=aggregate_id,
        aggregate_version=version,
        owner_id=str(owner_id),
        occurred_at=to_timestamp(service.market.time),
        type=message.DESCRIPTOR.full_name,
        payload=message.SerializeToString(),
    )


async def hear(service: Service, consumer: Consumer[Any], told: EventEnvelope) -> None:
    client: Any = None
    arrival = Arrival.of(Msg(client, f"{consumer.subject}.0", data=told.SerializeToString()))
    await consumer.apply(service.database, f"portfolio-{consumer.name}", arrival, accept_unseen=False)
