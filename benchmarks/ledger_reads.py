"""Positions and cash of a portfolio with a million transactions, and the valuation of one with ten thousand positions.

The journal is written by SQL, past the triggers that check each entry; its snapshots are made by the service's own
code, once, in the background as it would. A read is what GetPositions does before it asks the market: the portfolio's
row, a snapshot, and the movements that it lacks; of now, of what was true and of what was known at several times, and
of the instant before a snapshot, when a view lacks most. The valuation marks every position at a quote that is there.
Performance is what GetPerformance does but for the market's answers, of some five hundred instruments that all move
every day.
"""

import gc
import secrets
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import uvloop
from ledger_performance import measure_performance, median_ms

from quantmesh.chassis.database import Database
from quantmesh.local.network import free_port
from quantmesh.local.servers import PostgresServer, start_and_wait
from quantmesh.local.testing.databases import cloned_database
from quantmesh.portfolio.adapters.snapshot_maker import SnapshotMaker
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.core.get_positions import Holdings, read_holdings, value_at
from quantmesh.portfolio.core.market import Quote
from quantmesh.portfolio.core.ports import View

TRANSACTIONS, SYMBOLS, SINCE, POSITIONS = 1_000_000, 500, 200, 10_000
# Of the ledger's time.
SHARES = (0.05, 0.3, 0.5, 0.7, 0.95)
READ_GOAL_MS, VALUATION_GOAL_MS, SNAPSHOTS_GOAL_SECONDS = 50.0, 30.0, 60.0
BEGAN = datetime(2010, 1, 4, tzinfo=UTC)
# Of each instrument two are bought, then one is sold, and so on; the entry of a trade has five sides.
WRITE = """
    WITH made AS (
        SELECT n, 'S' || n %% %(symbols)s AS symbol, 100 + n %% 7 AS price, %(began)s + n * interval '2 minutes' AS at,
               CASE WHEN (n - 1) / %(symbols)s %% 2 = 0 THEN 2 ELSE -1 END AS moved
        FROM generate_series(CAST(%(first)s AS bigint), %(last)s) AS n
    ), trade AS (
        INSERT INTO transaction (portfolio_id, id, owner_id, seq, type, symbol, quantity, price, fee, currency, note,
                                 cash_effect, postings, executed_at, recorded_at)
        SELECT %(portfolio)s, uuidv7(), %(owner)s, n, CASE WHEN moved > 0 THEN 'buy' ELSE 'sell' END, symbol,
               abs(moved), price, 1, 'USD', '', -moved * price - 1, 5, at, at
        FROM made
        RETURNING id, symbol, quantity * sign(-cash_effect) AS moved, cash_effect, fee
    ), told AS (
        INSERT INTO account_event (portfolio_id, seq, owner_id, type, occurred_at, recorded_at, data)
        SELECT %(portfolio)s, n, %(owner)s, 'transaction.recorded', at, at, '{}' FROM made
    )
    INSERT INTO posting (portfolio_id, transaction_id, ordinal, owner_id, account, commodity, amount)
    SELECT %(portfolio)s, id, ordinal, %(owner)s, account, commodity, amount
    FROM trade CROSS JOIN LATERAL (VALUES
        (0, 'assets:securities', symbol, moved), (1, 'trading:' || symbol, symbol, -moved),
        (2, 'trading:' || symbol, 'USD', -cash_effect - fee), (3, 'assets:cash', 'USD', cash_effect),
        (4, 'expenses:fees', 'USD', fee)
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


# The instant before a snapshot in the middle of the ledger's time.
FURTHEST = """
    SELECT max(executed_until) - interval '1 microsecond' FROM ledger_snapshot
    WHERE portfolio_id = %(portfolio)s AND executed_until <= %(middle)s
"""


async def measure(url: str, admin_url: str) -> bool:
    database = Database(url, "portfolio", statement_timeout_seconds=120.0)
    owner, large, wide = uuid4(), uuid4(), uuid4()
    maker = SnapshotMaker(database)

    async def read(portfolio: UUID, view: View) -> Holdings:
        async with database.transaction(owner) as session:
            return await read_holdings(Store(session, owner), portfolio, view)

    async with await psycopg.AsyncConnection.connect(admin_url) as connection:
        await connection.execute("SET search_path = portfolio")
        await connection.execute("SET session_replication_role = replica")
        start = time.perf_counter()
        await write(connection, owner, large, 1, TRANSACTIONS, SYMBOLS)
        await write(connection, owner, wide, 1, POSITIONS, POSITIONS)
        wrote = time.perf_counter() - start
        start = time.perf_counter()
        await maker.make_due()
        made = time.perf_counter() - start
        await write(connection, owner, large, TRANSACTIONS + 1, TRANSACTIONS + SINCE, SYMBOLS)
        middle = BEGAN + timedelta(minutes=TRANSACTIONS)
        found = await (await connection.execute(FURTHEST, {"portfolio": large, "middle": middle})).fetchone()
    assert found is not None
    furthest = found[0]
    times = [BEGAN + share * timedelta(minutes=2 * TRANSACTIONS) for share in SHARES]
    views = {
        "now": [View()],
        "as of several times": [View(at) for at in times],
        "as known at several times": [View(known_at=at) for at in times],
        "both, before a snapshot": [View(furthest), View(known_at=furthest), View(furthest, times[-1])],
    }
    # As a service does once it has started.
    gc.freeze()
    held = await read(large, View())
    assert sum(position.quantity for position in held.positions) == TRANSACTIONS // 2 + 2 * SINCE
    slowest = 0.0
    sys.stdout.write(
        f"{TRANSACTIONS:,} transactions written in {wrote:.0f} s, their snapshots made in {made:.0f} s"
        f" (goal under {SNAPSHOTS_GOAL_SECONDS:g} s); a read, with a goal under {READ_GOAL_MS:g} ms:\n"
    )
    for name, of_kind in views.items():
        taken = [await median_ms(partial(read, large, view)) for view in of_kind]
        slowest = max(slowest, *taken)
        sys.stdout.write(f"  {name}: {', '.join(f'{each:.1f}' for each in taken)} ms\n")
    performance = await measure_performance(database, owner, large, BEGAN + timedelta(minutes=2 * TRANSACTIONS))
    wide_ms = await median_ms(partial(read, wide, View()))
    holdings = await read(wide, View())
    assert len(holdings.positions) == POSITIONS
    quotes = {
        position.symbol: Quote(position.symbol, Decimal("101.37"), None, None, BEGAN, False, "USD")
        for position in holdings.positions
    }

    async def value() -> object:
        return value_at(holdings, quotes, {}, BEGAN)

    valuation_ms = await median_ms(value)
    sys.stdout.write(
        f"valuation of {POSITIONS:,} positions: {valuation_ms:.1f} ms (goal under {VALUATION_GOAL_MS:g} ms),"
        f" after their read in {wide_ms:.1f} ms\n"
    )
    await database.close()
    return (
        max(slowest, performance) < READ_GOAL_MS and made < SNAPSHOTS_GOAL_SECONDS and valuation_ms < VALUATION_GOAL_MS
    )


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
