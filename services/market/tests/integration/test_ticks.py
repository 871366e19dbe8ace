"""Ticks from a message to rows: exact, once, the bad ones apart, the old ones dropped."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from quantmesh.api.market.v1.market_pb2 import TickBatch as Message
from quantmesh.chassis.events import EventBus
from quantmesh.local.testing import RunningServer
from quantmesh.market.adapters.tick_recorder import SUBJECT
from quantmesh.market.adapters.translate import ticks_to
from quantmesh.market.core.errors import InvalidTicks
from quantmesh.market.core.get_closes import to_micros
from quantmesh.market.core.replay import Position
from quantmesh.market.core.ticks import TickBatch
from services.market.tests.integration.conftest import LAST, Parts, decimals, rows, until

COUNT = "SELECT count(*) FROM tick"


def batch(parts: Parts, sequence: int = 1, price: list[int] | None = None) -> TickBatch:
    prices = np.array(price or [15_000_100_000, 9_223_372_036_854_775_000, 1], dtype=np.int64)
    times = np.full(len(prices), to_micros(parts.clock.now()), dtype=np.int64)
    index = np.arange(len(prices), dtype=np.uint16) % 2
    return TickBatch("test", sequence, ("MTUM", "QUAL"), index, times, prices, prices, prices)


def message(ticks: TickBatch) -> bytes:
    return ticks_to(ticks).SerializeToString()


async def test_prices_arrive_exactly(parts: Parts) -> None:
    await parts.recorder().record(message(batch(parts)))
    stored = await rows(parts.database, "SELECT price, bid, ask, time FROM tick ORDER BY price DESC")
    expected = ["92233720368.54775", "150.001", "0.00000001"]
    assert decimals([row[0] for row in stored]) == decimals(expected)
    assert all(row[0] == row[1] == row[2] and row[3] == parts.clock.now() for row in stored)


async def test_a_repeated_or_late_batch_counts_once(parts: Parts) -> None:
    recorder = parts.recorder()
    for sequence in (5, 5, 4):
        await recorder.record(message(batch(parts, sequence)))
    assert await rows(parts.database, COUNT) == [(3,)]
    await recorder.record(message(batch(parts, 6)))
    assert await rows(parts.database, COUNT) == [(6,)]


async def test_bad_ticks_are_kept_apart_with_their_reason(parts: Parts) -> None:
    ticks = await parts.recorder().record(message(batch(parts, price=[5, -1, 7])))
    assert ticks.rejected == 1
    assert await rows(parts.database, COUNT) == [(2,)]
    kept = await rows(parts.database, "SELECT symbol, line, field FROM quarantine WHERE source = 'test'")
    assert kept == [("QUAL", 2, "price")]


async def test_ticks_of_days_not_kept_and_of_the_future_are_refused(parts: Parts) -> None:
    recorder = parts.recorder()
    for sequence, shift in enumerate((timedelta(days=-30), timedelta(hours=1)), 1):
        moved = batch(parts, sequence)
        shifted = replace(
            moved, time_micros=moved.time_micros + to_micros(parts.clock.now() + shift) - to_micros(parts.clock.now())
        )
        assert (await recorder.record(message(shifted))).rejected == 3


async def test_old_days_are_dropped(parts: Parts) -> None:
    recorder = parts.recorder(kept=timedelta(days=1))
    await recorder.record(message(batch(parts)))
    await recorder.forget_old()
    assert await rows(parts.database, COUNT) == [(3,)]
    parts.clock.show(Position(ended=False, session=LAST))
    await recorder.forget_old()
    assert await rows(parts.database, COUNT) == [(0,)]


async def test_columns_that_are_no_integers_are_refused(parts: Parts) -> None:
    broken = Message.FromString(message(batch(parts)))
    broken.price += b"\0"
    with pytest.raises(InvalidTicks, match="8-byte integers"):
        await parts.recorder().record(broken.SerializeToString())


async def test_batches_arrive_over_the_bus_and_a_broken_one_stops_nothing(
    parts: Parts, bus: EventBus, nats_server: RunningServer
) -> None:
    recorder = parts.recorder()
    handled: list[bytes] = []

    async def handle(subject: str, payload: bytes) -> None:
        await recorder.handle(subject, payload)
        handled.append(payload)

    await bus.subscribe(SUBJECT, handle)
    await bus.publish("ticks.test", b"\xff\xff")
    await bus.publish("ticks.test", message(batch(parts)))
    await bus.client.flush()
    await until(lambda: len(handled) == 2)
    assert await rows(parts.database, COUNT) == [(3,)]
