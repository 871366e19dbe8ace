"""NATS: core messages of which only the latest matters, and JetStream events that arrive once in effect."""

from quantmesh.chassis.events.broadcast import Broadcast
from quantmesh.chassis.events.bus import EventBus
from quantmesh.chassis.events.consumer import Consumer, Event

__all__ = ["Broadcast", "Consumer", "Event", "EventBus"]
