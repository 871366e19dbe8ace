"""Bars, their checkpoints, and what was refused."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from quantmesh.api.market.v1.events_pb2 import BarsIngested
from quantmesh.chassis import outbox
from quantmesh.chassis.database import Database
from quantmesh.chassis.sql import Row, Session, text
from quantmesh.market.adapters.store.quarantine import quarantine
from quantmesh.market.core.model import Asset, Bar, Rejection
from quantmesh.market.core.ports import Ingestion, StoredBars

BARS_INGESTED = "market.bars.ingested"

# Of each bar the version that was recorded last, of those that were recorded by then; NULL: by now.
_RECORDED = "(CAST(:recorded_by AS timestamptz) IS NULL OR recorded_at <= :recorded_by)"
_READ = text(
    f"""
    SELECT DISTINCT ON (time) day, time, open, high, low, close, volume, source FROM bar
    WHERE {_RECORDED} AND series = :series AND day BETWEEN :start AND :end AND time <= :as_of
      -- The partition key, for pruning: a session closes at most a day after its date begins.
      AND time >= CAST(:start AS date) AND time < CAST(:end AS date) + 2
    ORDER BY time, recorded_at DESC LIMIT :limit
    """  # noqa: S608  our own condition
)
_LAST = text(
    f"""
    SELECT wanted.series, newest.*
    FROM unnest(CAST(:series AS integer[])) AS wanted (series)
    CROSS JOIN LATERAL (
        SELECT day, time, open, high, low, close, volume FROM bar
        WHERE bar.series = wanted.series AND time <= :as_of AND {_RECORDED}
        ORDER BY time DESC, recorded_at DESC LIMIT 1
    ) AS newest
    """  # noqa: S608  our own condition
)
# Locks the asset's row: ingestions of one asset take turns, and each is recorded after the one before it, whatever the
# clock does.
_BEGIN = text(
    """
    UPDATE asset SET revision = revision + 1,
                     recorded_at = greatest(clock_timestamp(), recorded_at + interval '1 microsecond')
    WHERE series = :series RETURNING recorded_at
    """
)
_COPY = """
    COPY bar_staging (series, time, day, open, high, low, close, volume, source) FROM STDIN (FORMAT BINARY)
"""
_COPY_TYPES = ["int4", "timestamptz", "date", "numeric", "numeric", "numeric", "numeric", "numeric", "text"]
_ADD_VERSIONS = text(
    """
    WITH written AS (
        INSERT INTO bar (series, time, day, open, high, low, close, volume, source, recorded_at)
        SELECT s.series, s.time, s.day, s.open, s.high, s.low, s.close, s.volume, s.source, :recorded_at
        FROM bar_staging AS s
        LEFT JOIN LATERAL (
            SELECT open, high, low, close, volume FROM bar
            WHERE bar.series = s.series AND bar.time = s.time ORDER BY recorded_at DESC LIMIT 1
        ) AS latest ON true
        -- A bar has a close, so that one that is not there is distinct as well.
        WHERE (latest.open, latest.high, latest.low, latest.close, latest.volume)
              IS DISTINCT FROM (s.open, s.high, s.low, s.close, s.volume)
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
_BETWEEN = text(
    """
    SELECT symbol, min(day) AS first_day, max(day) AS last_day, count(DISTINCT day) AS count, max(time) AS known_from
    FROM bar JOIN asset USING (series) WHERE time > :after AND time <= :until GROUP BY symbol ORDER BY symbol
    """
)


class BarStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(
        self, asset: Asset, start: date, end: date, as_of: datetime, limit: int, recorded_by: datetime | None = None
    ) -> StoredBars:
        parameters = {
            "series": asset.series,
            "start": start,
            "end": end,
            "as_of": as_of,
            "limit": limit,
            "recorded_by": recorded_by,
        }
        async with self._database.system_transaction() as session:
            rows = (await session.execute(_READ, parameters)).all()
        return StoredBars([_bar(row) for row in rows], rows[-1].source if rows else "")

    async def last(
        self, assets: Sequence[Asset], as_of: datetime, recorded_by: datetime | None = None
    ) -> Mapping[str, Bar]:
        symbols = {asset.series: asset.symbol for asset in assets}
        async with self._database.system_transaction() as session:
            parameters = {"series": list(symbols), "as_of": as_of, "recorded_by": recorded_by}
            rows = await session.execute(_LAST, parameters)
            return {symbols[row.series]: _bar(row) for row in rows}

    async def record(self, ingestion: Ingestion, known_until: datetime) -> int:
        async with self._database.system_transaction() as session:
            recorded_at = await session.scalar(_BEGIN, {"series": ingestion.asset.series})
            await _stage(session, ingestion)
            moments = {"recorded_at": recorded_at, "known_until": known_until}
            changes = (await session.execute(_ADD_VERSIONS, moments)).one()
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


async def announce_bars(session: Session, after: datetime, until: datetime) -> list[str]:
    """An event per symbol for the bars that became known between the two, or are unknown again; their symbols."""
    found = (await session.execute(_BETWEEN, {"after": after, "until": until})).all()
    for row in found:
        event = BarsIngested(
            symbol=row.symbol,
            first_date=row.first_day.isoformat(),
            last_date=row.last_day.isoformat(),
            count=row.count,
        )
        await outbox.append(session, BARS_INGESTED, event, aggregate_id=event.symbol, occurred_at=row.known_from)
    return [row.symbol for row in found]


async def _stage(session: Session, ingestion: Ingestion) -> None:
    connection = session.connection
    series, source = ingestion.asset.series, ingestion.source
    async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_COPY_TYPES)
        for bar in ingestion.bars:
            await copy.write_row(
                (series, bar.time, bar.day, bar.open, bar.high, bar.low, bar.close, bar.volume, source)
            )


async def _keep_account(session: Session, ingestion: Ingestion) -> None:
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


def _bar(row: Row) -> Bar:
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
