"""What becomes of a consumer's messages: handled, parked, delayed, or buried."""

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import Protocol

import nats.errors
from nats.aio.msg import Msg
from prometheus_client import Counter, Gauge

from quantmesh.chassis import failpoints
from quantmesh.chassis.cancellation import raise_if_cancelled
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, Unavailable
from quantmesh.chassis.events import inbox
from quantmesh.chassis.events.arrival import Arrival, PoisonError
from quantmesh.chassis.events.bus import BROKER_FAULTS, EventBus
from quantmesh.chassis.events.dead_letters import DeadLetters
from quantmesh.chassis.events.parking import Parking
from quantmesh.chassis.events.pull import ConsumerLostError, PullSubscription
from quantmesh.chassis.events.unsettled import Unsettled
from quantmesh.chassis.failpoints import Failpoint
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

# How long what a dead consumer held back lies idle; slow handlers renew it.
ACK_WAIT_SECONDS = 4.0
# A bare nak would come back at once, thousands of times in an outage.
_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 2.0
# What waits longer for its predecessor is given back for a while, since others need the room.
_PARKED_SECONDS = 2.0
# By now all that is unsettled in the stream before an event has been delivered here: held back by a dead consumer, or
# delayed, it comes within the acknowledgement's wait and the longest delay, and ahead of what was given back later.
_IN_VAIN_SECONDS = 10.0
# What a broker forgot follows within one sweep of its relay, perhaps behind events that came after it.
_REPUBLISHED_SECONDS = 60.0
# Others replay and forget dead letters too.
_MEASURE_SECONDS = 10.0

_EVENTS = Counter("quantmesh_consumer_events_total", "Events by what became of them", ["consumer", "outcome"])
_PENDING = Gauge("quantmesh_consumer_pending", "Events in the stream that the consumer has not settled", ["consumer"])


class Applies(Protocol):
    """The consumer, as far as settling needs it."""

    name: str
    stream: str
    max_deliver: int
    concurrency: int
    prefetch: int
    together: int

    async def apply(
        self, database: Database, durable: str, arrival: Arrival, *, accept_unseen: bool
    ) -> inbox.Verdict: ...

    def go_together(self, durable: str, arrivals: list[Arrival]) -> bool: ...

    async def apply_together(
        self, database: Database, durable: str, arrivals: list[Arrival]
    ) -> list[inbox.Verdict]: ...


class Settling:
    """One stretch of consuming, from connection to fault.

    What it holds is never settled over a later connection: a broker that was restored from an old state gives the same
    numbers to other messages, and an acknowledgement names nothing but the number.
    """

    def __init__(self, consumer: Applies, database: Database, bus: EventBus, durable: str) -> None:
        self._consumer = consumer
        self._database = database
        self._bus = bus
        self._epoch = bus.epoch
        self._durable = durable
        self._dead_letters = DeadLetters(bus)
        self._lanes: list[asyncio.Queue[Msg]] = [asyncio.Queue() for _ in range(consumer.concurrency)]
        self._lane_of: dict[str, asyncio.Queue[Msg]] = {}
        self._unfinished: dict[int, Msg] = {}
        self._room = asyncio.Event()
        self._parking = Parking()
        self._unsettled = Unsettled()

    async def run(self, pulled: PullSubscription) -> None:
        """Until a fault of the broker, which is raised. Lanes go side by side, a partition always in the same one."""
        try:
            async with asyncio.TaskGroup() as group:
                for lane in self._lanes:
                    group.create_task(self._work(lane))
                group.create_task(self._measure())
                group.create_task(self._keep_alive(pulled))
                while True:
                    raise_if_cancelled()
                    free = self._consumer.prefetch - len(self._unfinished)
                    # Fetched by the half: where each one that is done fetched another, each would be a round trip.
                    if free <= self._consumer.prefetch // 2:
                        self._room.clear()
                        await self._room.wait()
                        continue
                    for message in await pulled.batch(free):
                        self._unfinished[id(message)] = message
                        turn = self._lanes[len(self._lane_of) % len(self._lanes)]
                        self._lane_of.setdefault(message.subject, turn).put_nowait(message)
        except ExceptionGroup as faults:
            raise faults.exceptions[0] from None
        finally:
            # Whoever consumes next measures; what this process last saw would stay for ever.
            _PENDING.remove(self._durable)
            self._dead_letters.forget(self._database.service, self._consumer.name)

    async def give_back(self, waiting: list[Msg]) -> None:
        """All that is not settled goes to whoever consumes next."""
        for message in (*self._unfinished.values(), *self._parking.messages(), *waiting):
            with suppress(*BROKER_FAULTS):
                await message.nak()

    async def _work(self, lane: asyncio.Queue[Msg]) -> None:
        while True:
            messages = [await lane.get()]
            while len(messages) < self._consumer.together and not lane.empty():
                messages.append(lane.get_nowait())
            await self._settle_in_order(messages)
            self._room.set()
            raise_if_cancelled()

    async def _keep_alive(self, pulled: PullSubscription) -> None:
        """Slow handlers keep their messages, and those waiting behind them; what parked in vain is delivered anew."""
        while True:
            raise_if_cancelled()
            await asyncio.sleep(ACK_WAIT_SECONDS / 4)
            for message in self._parking.take_overdue(_PARKED_SECONDS):
                await self._delay(message, "overdue")
            for message in (*self._unfinished.values(), *self._parking.messages(), *pulled.waiting()):
                with suppress(nats.errors.MsgAlreadyAckdError):
                    await message.in_progress()

    async def _measure(self) -> None:
        """The broker is asked: what stands still brings no message that would tell."""
        while True:
            raise_if_cancelled()
            await self._dead_letters.measure(self._database.service, self._consumer.name)
            info = await self._bus.jetstream.consumer_info(self._consumer.stream, self._durable)
            _PENDING.labels(self._durable).set((info.num_pending or 0) + (info.num_ack_pending or 0))
            await asyncio.sleep(_MEASURE_SECONDS)

    async def _settle_in_order(self, messages: list[Msg]) -> None:
        """In one transaction; where anything is wrong with one of them each half by itself, down to a single one."""
        left = await self._settle_together(messages) if len(messages) > 1 else messages
        if left is None:
            half = len(messages) // 2
            await self._settle_in_order(messages[:half])
            await self._settle_in_order(messages[half:])
            return
        waiting = deque(left)
        while waiting:
            raise_if_cancelled()
            message = waiting.popleft()
            successor = await self._settle(message)
            self._unfinished.pop(id(message), None)
            if successor is not None:
                self._unfinished[id(successor)] = successor
                waiting.appendleft(successor)

    async def _settle_together(self, messages: list[Msg]) -> list[Msg] | None:
        """Those that are left, with the parked ones that may go now; None where nothing was done with any."""
        try:
            arrivals = [Arrival.of(message) for message in messages]
            if not self._consumer.go_together(self._durable, arrivals):
                return None
            verdicts = await self._consumer.apply_together(self._database, self._durable, arrivals)
        except Exception as error:  # noqa: BLE001  whatever one of them caused, it causes again where it is dealt with
            log.info("events are handled by halves", consumer=self._durable, events=len(messages), cause=repr(error))
            return None
        left: list[Msg] = []
        for arrival, verdict in zip(arrivals, verdicts, strict=True):
            if verdict is inbox.Verdict.GAP:
                left.append(arrival.message)
                continue
            await self._acknowledge(arrival, verdict)
            del self._unfinished[id(arrival.message)]
            successor = self._parking.take(arrival.aggregate, arrival.envelope.aggregate_version)
            if successor is not None:
                self._unfinished[id(successor)] = successor
                left.append(successor)
        return left

    async def _settle(self, message: Msg) -> Msg | None:
        """Do with one message what is to be done; the parked one that may go next. Raises faults of the broker."""
        try:
            arrival = Arrival.of(message)
        except PoisonError as error:
            await self._bury(message, None, error)
            return None
        if not await self._handle(arrival):
            return None
        return self._parking.take(arrival.aggregate, arrival.envelope.aggregate_version)

    async def _handle(self, arrival: Arrival) -> bool:
        """Whether the next event of the aggregate may follow."""
        message = arrival.message
        self._unsettled.note(arrival)
        try:
            verdict = await self._consumer.apply(
                self._database, self._durable, arrival, accept_unseen=await self._is_trimmed(arrival)
            )
        except (Unavailable, Conflict) as fault:
            await self._delay(message, "postponed", fault.detail)
            return False
        except PoisonError as error:
            return await self._bury(message, arrival, error)
        except Exception as error:  # noqa: BLE001  a handler's bug must stop neither the others nor this consumer
            return await self._fail(arrival, error)
        if verdict is inbox.Verdict.GAP:
            _EVENTS.labels(self._durable, "parked").inc()
            if not self._parking.put(arrival.aggregate, arrival.envelope.previous_version, message):
                await self._delay(message, "no room to park")
            return False
        await self._acknowledge(arrival, verdict)
        return True

    async def _acknowledge(self, arrival: Arrival, verdict: inbox.Verdict) -> None:
        await failpoints.reached(Failpoint.BEFORE_ACK)
        self._require_same_connection()
        await arrival.message.ack()
        self._unsettled.settle(arrival)
        _EVENTS.labels(self._durable, verdict.value).inc()
        if verdict.takes_effect:
            arrival.observe_lag(self._durable)
        if verdict is inbox.Verdict.ORPHAN:
            log.error(
                "event is handled without those before it, which the stream has dropped",
                consumer=self._durable,
                event_id=str(arrival.event_id),
                aggregate_id=arrival.envelope.aggregate_id,
                previous_version=arrival.envelope.previous_version,
            )

    def _require_same_connection(self) -> None:
        if self._bus.epoch != self._epoch:
            raise ConsumerLostError("the broker came back; what was fetched before is fetched anew")

    async def _is_trimmed(self, arrival: Arrival) -> bool:
        """Whether the stream has dropped what came before it, as far as that can be told.

        A predecessor that is only postponed is among what is unsettled here once the event has waited in vain; one
        that has yet to be published again needs the event's time in the stream.
        """
        if self._unsettled.seconds(arrival) < _IN_VAIN_SECONDS:
            return False
        first = (await self._bus.jetstream.stream_info(self._consumer.stream)).state.first_seq
        if first <= 1 or self._unsettled.has_predecessor(arrival, first):
            return False
        return time.time() - arrival.message.metadata.timestamp.timestamp() >= _REPUBLISHED_SECONDS

    async def _delay(self, message: Msg, outcome: str, cause: str = "") -> None:
        log.info("event is delayed", consumer=self._durable, subject=message.subject, outcome=outcome, cause=cause)
        _EVENTS.labels(self._durable, outcome).inc()
        doublings = min(message.metadata.num_delivered - 1, 10)
        await message.nak(delay=min(_FIRST_DELAY_SECONDS * 2**doublings, _LONGEST_DELAY_SECONDS))

    async def _fail(self, arrival: Arrival, error: Exception) -> bool:
        log.error("event failed", consumer=self._durable, event_id=str(arrival.event_id), exc_info=error)
        try:
            failures = await inbox.count_failure(self._database, self._durable, arrival.event_id)
        except (Unavailable, Conflict) as fault:
            await self._delay(arrival.message, "postponed", fault.detail)
            return False
        if failures >= self._consumer.max_deliver:
            return await self._bury(arrival.message, arrival, error)
        await self._delay(arrival.message, "failed", repr(error))
        return False

    async def _bury(self, message: Msg, arrival: Arrival | None, error: Exception) -> bool:
        """To the dead letters with its error. Only then is it settled here, so that it cannot get lost between."""
        await self._dead_letters.bury(message, arrival, self._database.service, self._consumer.name, error)
        await failpoints.reached(Failpoint.AFTER_BURIAL)
        if arrival is not None:
            try:
                async with self._database.system_transaction() as session:
                    await inbox.skip(session, self._durable, arrival.subject, arrival.envelope)
            except (Unavailable, Conflict) as fault:
                await self._delay(message, "postponed", fault.detail)
                return False
        self._require_same_connection()
        await message.term()
        if arrival is not None:
            self._unsettled.settle(arrival)
        _EVENTS.labels(self._durable, "dead").inc()
        event_id = "" if arrival is None else str(arrival.event_id)
        log.error("event is a dead letter", consumer=self._durable, event_id=event_id, error=str(error))
        return True
