"""Bars, their checkpoints, and what was refused."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from quantmesh.api.market.v1.events_pb2 import BarsIngested
from quantmesh.chassis import outbox
from quantmesh.chassis.database import Database, driver_connection
from quantmesh.market.adapters.store.quarantine import quarantine
from quantmesh.market.core.model import Asset, Bar, Rejection
from quantmesh.market.core.ports import Ingestion, StoredBars

BARS_INGESTED = "market.bars.ingested"

_READ = text(
    """
    SELECT day, time, open, high, low, close, volume, source FROM bar
    WHERE series = :series AND day BETWEEN :start AND :end AND time <= :as_of
      -- The partition key, for pruning: a session closes at most a day after its date begins.
      AND time >= CAST(:start AS date) AND time < CAST(:end AS date) + 2
    ORDER BY time LIMIT :limit
    """
)
_LAST = text(
    """
    SELECT wanted.series, newest.*
    FROM unnest(CAST(:series AS integer[])) AS wanted (series)
    CROSS JOIN LATERAL (
        SELECT day, time, open, high, low, close, volume FROM bar
        WHERE bar.series = wanted.series AND time <= :as_of ORDER BY time DESC LIMIT 1
    ) AS newest
    """
)
# Locks the asset's row: ingestions of one asset take turns.
_BEGIN = text("UPDATE asset SET revision = revision + 1 WHERE series = :series")
_COPY = """
    COPY bar_staging (series, time, day, open, high, low, close, volume, source) FROM STDIN (FORMAT BINARY)
"""
_COPY_TYPES = ["int4", "timestamptz", "date", "numeric", "numeric", "numeric", "numeric", "numeric", "text"]
_UPSERT = text(
    """
    WITH written AS (
        INSERT INTO bar AS b (series, time, day, open, high, low, close, volume, source)
        SELECT series, time, day, open, high, low, close, volume, source FROM bar_staging
        ON CONFLICT (series, time) DO UPDATE
        SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
            volume = excluded.volume, source = excluded.source
        WHERE (b.open, b.high, b.low, b.close, b.volume)
              IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume)
        RETURNING day, time
    )
    SELECT count(*) AS changed, count(*) FILTER (WHERE known) AS known,
           min(day) FILTER (WHERE known) AS first_day, max(day) FILTER (WHERE known) AS last_day
    FROM (SELECT day, time <= :known_until AS known FROM written) AS changes
    """
)
_EMPTY_STAGING = text("DELETE FROM bar_staging")
_CHECKPOINT = text(
    """
    INSERT INTO checkpoint AS c (source, symbol, version, bars, rejected, first_day, last_day, gaps)
    VALUES (:source, :symbol, :version, :bars, :rejected, :first_day, :last_day, :gaps)
    ON CONFLICT (source, symbol) DO UPDATE
    SET version = excluded.version, bars = excluded.bars, rejected = excluded.rejected, reached_at = now(),
        first_day = excluded.first_day, last_day = excluded.last_day, gaps = excluded.gaps
    """
)
_VERSIONS = text("SELECT symbol, version FROM checkpoint WHERE source = :source")
_CLOSED = text(
    """
    SELECT asset.symbol FROM bar JOIN asset USING (series)
    WHERE bar.day = :day AND bar.time = :time ORDER BY asset.symbol
    """
)


class BarStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, asset: Asset, start: date, end: date, as_of: datetime, limit: int) -> StoredBars:
        parameters = {"series": asset.series, "start": start, "end": end, "as_of": as_of, "limit": limit}
        async with self._database.system_transaction() as session:
            rows = (await session.execute(_READ, parameters)).all()
        return StoredBars([_bar(row) for row in rows], rows[-1].source if rows else "")

    async def last(self, assets: Sequence[Asset], as_of: datetime) -> Mapping[str, Bar]:
        symbols = {asset.series: asset.symbol for asset in assets}
        async with self._database.system_transaction() as session:
            rows = await session.execute(_LAST, {"series": list(symbols), "as_of": as_of})
            return {symbols[row.series]: _bar(row) for row in rows}

    async def record(self, ingestion: Ingestion, known_until: datetime) -> int:
        async with self._database.system_transaction() as session:
            await session.execute(_BEGIN, {"series": ingestion.asset.series})
            await _stage(session, ingestion)
            changes = (await session.execute(_UPSERT, {"known_until": known_until})).one()
            await session.execute(_EMPTY_STAGING)
            await _keep_account(session, ingestion)
            if changes.known:
                event = BarsIngested(
                    symbol=ingestion.asset.symbol,
                    first_date=changes.first_day.isoformat(),
                    last_date=changes.last_day.isoformat(),
                    count=changes.known,
                )
                await outbox.append(session, BARS_INGESTED, event, aggregate_id=event.symbol, occurred_at=known_until)
        return int(changes.changed)

    async def refuse(self, source: str, rejections: Sequence[Rejection]) -> None:
        async with self._database.system_transaction() as session:
            await quarantine(session, source, rejections)

    async def versions(self, source: str) -> Mapping[str, str]:
        async with self._database.system_transaction() as session:
            return {row.symbol: row.version for row in await session.execute(_VERSIONS, {"source": source})}


async def announce_session(session: AsyncSession, day: date, closed_at: datetime) -> list[str]:
    """An event for each bar that became known when `day` closed; their symbols."""
    symbols = [row.symbol for row in await session.execute(_CLOSED, {"day": day, "time": closed_at})]
    for symbol in symbols:
        event = BarsIngested(symbol=symbol, first_date=day.isoformat(), last_date=day.isoformat(), count=1)
        await outbox.append(session, BARS_INGESTED, event, aggregate_id=symbol, occurred_at=closed_at)
    return symbols


async def _stage(session: AsyncSession, ingestion: Ingestion) -> None:
    connection = await driver_connection(session)
    series, source = ingestion.asset.series, ingestion.source
    async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_COPY_TYPES)
        for bar in ingestion.bars:
            await copy.write_row(
                (series, bar.time, bar.day, bar.open, bar.high, bar.low, bar.close, bar.volume, source)
            )


async def _keep_account(session: AsyncSession, ingestion: Ingestion) -> None:
    await quarantine(session, ingestion.source, ingestion.rejections)
    if not ingestion.version:
        return
    bars = ingestion.bars
    await session.execute(
        _CHECKPOINT,
        {
            "source": ingestion.source,
            "symbol": ingestion.asset.symbol,
            "version": ingestion.version,
            "bars": len(bars),
            "rejected": len(ingestion.rejections),
            "first_day": bars[0].day if bars else None,
            "last_day": bars[-1].day if bars else None,
            "gaps": list(ingestion.gaps),
        },
    )


def _bar(row: Row[Any]) -> Bar:
    return Bar(
        row.day,
        row.time,
        row.close.normalize(),
        _normal(row.open),
        _normal(row.high),
        _normal(row.low),
        _normal(row.volume),
    )


def _normal(value: Decimal | None) -> Decimal | None:
    """Without the zeros that NUMERIC(38,18) fills up with."""
    return None if value is None else value.normalize()
