"""Eight writers with 500 events a second: none skipped, none reordered, and each has its effect within a second."""

import asyncio
import statistics
import time
from collections import defaultdict

from quantmesh.api.common.v1.common_pb2 import EventEnvelope, Money
from quantmesh.chassis.database import Database
from quantmesh.chassis.events import Consumer, EventBus
from quantmesh.chassis.relay import Relay
from quantmesh.chassis.sql import Session

from .events import SUBJECT, Start, post, until

WRITERS, EVENTS_PER_SECOND, SECONDS = 8, 500, 2
# Two events to a transaction.
PAUSE_SECONDS = WRITERS * 2 / EVENTS_PER_SECOND
TRANSACTIONS = round(SECONDS / PAUSE_SECONDS)


async def test_eight_writers_see_their_events_take_effect_in_order_within_a_second(
    database: Database, bus: EventBus, start: Start
) -> None:
    versions: dict[str, list[int]] = defaultdict(list)
    lags: list[float] = []
    writes: list[float] = []

    async def handle(_session: Session, envelope: EventEnvelope, message: Money) -> None:
        versions[envelope.aggregate_id].append(envelope.aggregate_version)
        lags.append(time.time() - float(message.currency))

    async def write(writer: int, begun: float) -> None:
        for number in range(TRANSACTIONS):
            # A write that took long is made up for.
            await asyncio.sleep(max(begun + number * PAUSE_SECONDS - time.monotonic(), 0))
            written_at = time.time()
            await post(database, f"{writer}-{number % 3}", repr(written_at), repr(written_at))
            writes.append(time.time() - written_at)

    async def is_in_time() -> bool:
        lags.clear()
        writes.clear()
        begun = time.monotonic()
        await asyncio.gather(*(write(writer, begun) for writer in range(WRITERS)))
        await until(lambda: len(lags) >= 2 * WRITERS * TRANSACTIONS)
        # Where a write that takes milliseconds takes fifty and more, others have the machine.
        allowed = max(1.0, 20 * statistics.median(writes))
        return sorted(lags)[int(0.99 * len(lags))] < allowed

    start(Relay(database, bus).run())
    start(Consumer("effects", subject=f"qm.{SUBJECT}", message=Money, handle=handle).run(database, bus))
    # A machine that stands still for a second makes every event of it late: not each time.
    in_time = await is_in_time() or await is_in_time() or await is_in_time()
    assert len(versions) == 3 * WRITERS
    for of_one in versions.values():
        assert of_one == list(range(1, len(of_one) + 1))
    assert in_time
