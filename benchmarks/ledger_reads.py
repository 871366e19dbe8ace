"""Positions and cash of a portfolio with a million transactions, and the valuation of one with ten thousand positions.

The journal is written by SQL, past the triggers that check each entry; its snapshots are made by the service's own
code, once, in the background as it would. A read is what GetPositions does before it asks the market: the portfolio's
row, the newest snapshot, and the movements recorded since. The valuation marks every position at a quote that is there.
"""

import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import uvloop

from quantmesh.chassis.database import Database
from quantmesh.local.network import free_port
from quantmesh.local.servers import PostgresServer, start_and_wait
from quantmesh.local.testing.databases import cloned_database
from quantmesh.portfolio.adapters.snapshot_maker import SnapshotMaker
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.core.get_positions import Holdings, read_holdings, value_at
from quantmesh.portfolio.core.market import Quote
from quantmesh.portfolio.core.ports import View

TRANSACTIONS, SYMBOLS, SINCE, POSITIONS, ROUNDS, STEP = 1_000_000, 500, 200, 10_000, 21, 100_000
READ_GOAL_MS, VALUATION_GOAL_MS = 50.0, 30.0
BEGAN = datetime(2010, 1, 4, tzinfo=UTC)
# Of each instrument two are bought, then one is sold, and so on; the entry of a trade has four sides.
WRITE = """
    WITH made AS (
        SELECT n, 'S' || n %% %(symbols)s AS symbol, 100 + n %% 7 AS price, %(began)s + n * interval '2 minutes' AS at,
               CASE WHEN (n - 1) / %(symbols)s %% 2 = 0 THEN 2 ELSE -1 END AS moved
        FROM generate_series(CAST(%(first)s AS bigint), %(last)s) AS n
    ), trade AS (
        INSERT INTO transaction (portfolio_id, id, owner_id, seq, type, symbol, quantity, price, currency, note,
                                 cash_effect, postings, executed_at, recorded_at)
        SELECT %(portfolio)s, uuidv7(), %(owner)s, n, CASE WHEN moved > 0 THEN 'buy' ELSE 'sell' END, symbol,
               abs(moved), price, 'USD', '', -moved * price, 4, at, at
        FROM made
        RETURNING id, symbol, quantity * sign(-cash_effect) AS moved, cash_effect
    )
    INSERT INTO posting (portfolio_id, transaction_id, ordinal, owner_id, account, commodity, amount)
    SELECT %(portfolio)s, id, ordinal, %(owner)s, account, commodity, amount
    FROM trade CROSS JOIN LATERAL (VALUES
        (0, 'assets:securities', symbol, moved), (1, 'trading:' || symbol, symbol, -moved),
        (2, 'trading:' || symbol, 'USD', -cash_effect), (3, 'assets:cash', 'USD', cash_effect)
    ) AS side (ordinal, account, commodity, amount)
"""
OPEN = """
    INSERT INTO portfolio (id, owner_id, name, base_currency, lot_method, seq, created_at, recorded_at)
    VALUES (%(portfolio)s, %(owner)s, 'Large', 'USD', 'fifo', 0, %(began)s, %(began)s)
"""
ADVANCE = """
    UPDATE portfolio SET seq = %(last)s, recorded_at = %(began)s + %(last)s * interval '2 minutes'
    WHERE id = %(portfolio)s
"""


async def write(
    connection: psycopg.AsyncConnection, owner: UUID, portfolio: UUID, first: int, last: int, symbols: int
) -> None:
    parameters = {
        "portfolio": portfolio, "owner": owner, "first": first, "last": last, "symbols": symbols, "began": BEGAN,
    }  # fmt: skip
    if first == 1:
        await connection.execute(OPEN, parameters)
    await connection.execute(WRITE, parameters)
    await connection.execute(ADVANCE, parameters)
    await connection.commit()


async def median_ms(work: Callable[[], Awaitable[object]]) -> float:
    await work()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        await work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


async def measure(url: str, admin_url: str) -> bool:
    database = Database(url, "portfolio", statement_timeout_seconds=120.0)
    owner, large, wide = uuid4(), uuid4(), uuid4()
    # In large steps, since nobody waits on this loop; the last snapshot is the same.
    maker = SnapshotMaker(database, step=STEP)

    async def read(portfolio: UUID, as_of: datetime | None = None) -> Holdings:
        async with database.transaction(owner) as session:
            return await read_holdings(Store(session, owner), portfolio, View(as_of))

    async with await psycopg.AsyncConnection.connect(admin_url) as connection:
        await connection.execute("SET search_path = portfolio")
        await connection.execute("SET session_replication_role = replica")
        start = time.perf_counter()
        await write(connection, owner, large, 1, TRANSACTIONS, SYMBOLS)
        await write(connection, owner, wide, 1, POSITIONS, POSITIONS)
        wrote = time.perf_counter() - start
        start = time.perf_counter()
        await maker.make_due()
        sys.stdout.write(f"{TRANSACTIONS:,} transactions written in {wrote:.0f} s, ")
        sys.stdout.write(f"their snapshots made in {time.perf_counter() - start:.0f} s\n")
        await write(connection, owner, large, TRANSACTIONS + 1, TRANSACTIONS + SINCE, SYMBOLS)
    held = await read(large)
    units = sum(position.quantity for position in held.positions)
    assert units == TRANSACTIONS // 2 + 2 * SINCE, units
    middle = BEGAN + timedelta(minutes=TRANSACTIONS)
    large_ms = await median_ms(partial(read, large))
    middle_ms = await median_ms(partial(read, large, middle))
    wide_ms = await median_ms(partial(read, wide))
    holdings = await read(wide)
    assert len(holdings.positions) == POSITIONS
    quotes = {
        position.symbol: Quote(position.symbol, Decimal("101.37"), None, None, BEGAN, False, "USD")
        for position in holdings.positions
    }

    async def value() -> object:
        return value_at(holdings, quotes, {}, BEGAN)

    valuation_ms = await median_ms(value)
    sys.stdout.write(
        f"read of {TRANSACTIONS:,} transactions, {SINCE} of them since the snapshot: {large_ms:.1f} ms"
        f" (goal under {READ_GOAL_MS:g} ms); as of the middle of its time: {middle_ms:.1f} ms\n"
        f"valuation of {POSITIONS:,} positions: {valuation_ms:.1f} ms (goal under {VALUATION_GOAL_MS:g} ms),"
        f" after their read in {wide_ms:.1f} ms\n"
    )
    await database.close()
    return large_ms < READ_GOAL_MS and valuation_ms < VALUATION_GOAL_MS


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="quantmesh-"))
    folder.chmod(0o711)  # Postgres runs as another user when this is root
    server = PostgresServer(folder / "postgres", free_port(), secrets.token_hex(16))
    child = start_and_wait(server, folder / "postgres.log")
    try:
        with cloned_database(server, "portfolio") as database:
            met = uvloop.run(measure(database.url, database.admin_url))
    finally:
        child.stop()
        shutil.rmtree(folder)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
