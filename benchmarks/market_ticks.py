"""Ticks from message to commit, against a bare binary COPY of the same rows through the same driver.

Bare: rows encoded beforehand, into a plain table without index, a commit per batch. Ours: the message is decoded, every
tick is checked, encoded and copied into the partitioned table, and its sequence is claimed in the same transaction. The
two take turns on one server; printed are the medians and their ratio.
"""

import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import psycopg
import uvloop

from quantmesh.chassis.database import Database
from quantmesh.local.network import free_port
from quantmesh.local.servers import PostgresServer, start_and_wait
from quantmesh.local.testing.databases import cloned_database
from quantmesh.market.adapters.bundled import LAST_SESSION, BundledProvider, load_calendars
from quantmesh.market.adapters.store.assets import AssetStore
from quantmesh.market.adapters.store.tick_rows import CHUNK_ROWS, HEADER, TRAILER, encode_ticks
from quantmesh.market.adapters.store.ticks import TickStore
from quantmesh.market.adapters.tick_recorder import TickRecorder
from quantmesh.market.adapters.translate import ticks_to
from quantmesh.market.core.feed_clock import FeedClock
from quantmesh.market.core.get_closes import to_micros
from quantmesh.market.core.replay import ReplayPlan
from quantmesh.market.core.ticks import CheckedTicks, TickBatch

BATCH, BATCHES, ROUNDS = 65_536, 8, 5
GOAL = 0.4
_BARE_TABLE = """
    CREATE TABLE bare (series integer, time timestamptz, price numeric(38,18), bid numeric(38,18),
                                ask numeric(38,18))
"""


def make_batch(symbols: tuple[str, ...], start_micros: int) -> TickBatch:
    random = np.random.default_rng(1)
    price = random.integers(10**9, 10**11, BATCH)
    return TickBatch(
        "bench",
        1,
        symbols,
        random.integers(0, len(symbols), BATCH).astype(np.uint16),
        start_micros + np.sort(random.integers(0, 10**9, BATCH)),
        price,
        price - random.integers(1, 10**6, BATCH),
        price + random.integers(1, 10**6, BATCH),
    )


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    """Rows per second."""
    start = time.perf_counter()
    await work()
    return BATCH * BATCHES / (time.perf_counter() - start)


async def measure(url: str, admin_url: str) -> float:
    calendar = load_calendars()["XNYS"]
    plan = ReplayPlan(calendar, LAST_SESSION, LAST_SESSION, 390)
    clock = FeedClock(plan, plan.advance(plan.start, 390))
    database = Database(url, "market")
    assets = AssetStore(database)
    listings = [listing for listing in BundledProvider().listings() if listing.tradable]
    await assets.add(listings)
    symbols = tuple(listing.symbol for listing in listings)
    recorder = TickRecorder(TickStore(database), assets, clock, timedelta(days=7))
    batch = make_batch(symbols, to_micros(plan.market_time(plan.start)))
    message = ticks_to(batch)
    series = batch.symbol_index.astype(np.int32)
    rows = CheckedTicks(series, batch.time_micros, batch.price, batch.bid, batch.ask, 0, [])
    blocks = [encode_ticks(rows, at, min(at + CHUNK_ROWS, BATCH)) for at in range(0, BATCH, CHUNK_ROWS)]
    sequence = 0

    async with await psycopg.AsyncConnection.connect(admin_url) as connection:
        await connection.execute(_BARE_TABLE)
        await connection.commit()

        async def bare() -> None:
            for _ in range(BATCHES):
                async with connection.cursor() as cursor, cursor.copy("COPY bare FROM STDIN (FORMAT BINARY)") as copy:
                    await copy.write(HEADER)
                    for block in blocks:
                        await copy.write(block)
                    await copy.write(TRAILER)
                await connection.commit()

        async def ours() -> None:
            nonlocal sequence
            for _ in range(BATCHES):
                sequence += 1
                message.sequence = sequence
                checked = await recorder.record(message.SerializeToString())
                assert checked.rejected == 0

        await bare()
        await ours()
        rates: dict[str, list[float]] = {"bare": [], "ours": []}
        for _ in range(ROUNDS):
            rates["bare"].append(await timed(bare))
            rates["ours"].append(await timed(ours))
        (stored,) = (await (await connection.execute("SELECT count(*) FROM market.tick")).fetchone()) or (0,)
        assert stored == BATCH * BATCHES * (ROUNDS + 1)
    await database.close()
    bare_rate, our_rate = statistics.median(rates["bare"]), statistics.median(rates["ours"])
    ratio = our_rate / bare_rate
    sys.stdout.write(
        f"ticks, message to commit: {our_rate / 1e6:.2f} M rows/s; bare binary COPY: {bare_rate / 1e6:.2f} M rows/s;"
        f" ratio {ratio:.2f} (goal {GOAL})\n"
    )
    return ratio


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="quantmesh-"))
    folder.chmod(0o711)  # Postgres runs as another user when this is root
    server = PostgresServer(folder / "postgres", free_port(), secrets.token_hex(16))
    child = start_and_wait(server, folder / "postgres.log")
    try:
        with cloned_database(server, "market") as database:
            ratio = uvloop.run(measure(database.url, database.admin_url))
    finally:
        child.stop()
        shutil.rmtree(folder)
    sys.exit(0 if ratio >= GOAL else 1)


if __name__ == "__main__":
    main()
