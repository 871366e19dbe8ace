"""Ticks: a batch is one transaction, and counts once however often it arrives."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from quantmesh.chassis.database import Database
from quantmesh.chassis.sql import Session, text
from quantmesh.market.adapters.store.quarantine import quarantine
from quantmesh.market.adapters.store.tick_rows import CHUNK_ROWS, HEADER, TRAILER, encode_ticks
from quantmesh.market.core.ticks import CheckedTicks

# No row comes back for a sequence that was stored before.
_CLAIM = text(
    """
    INSERT INTO tick_feed AS f (feed, sequence, ticks, rejected) VALUES (:feed, :sequence, :ticks, :rejected)
    ON CONFLICT (feed) DO UPDATE
    SET sequence = excluded.sequence, ticks = f.ticks + excluded.ticks, rejected = f.rejected + excluded.rejected
    WHERE f.sequence < excluded.sequence
    RETURNING sequence
    """
)
_COPY = "COPY tick (series, time, price, bid, ask) FROM STDIN (FORMAT BINARY)"
_CREATE = text("SELECT create_tick_partition(CAST(:day AS date))")
_DROP = text("SELECT drop_tick_partitions(CAST(:before AS date))")
_FORGET_FROM = text("DELETE FROM tick WHERE time >= :moment")


class TickStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, feed: str, sequence: int, ticks: CheckedTicks) -> bool:
        """False where the batch was there already. Its days need their partitions."""
        parameters = {
            "feed": feed,
            "sequence": sequence,
            "ticks": len(ticks.series),
            "rejected": ticks.rejected,
        }
        async with self._database.system_transaction() as session:
            if (await session.execute(_CLAIM, parameters)).one_or_none() is None:
                return False
            await quarantine(session, feed, ticks.rejections)
            await _copy(session, ticks)
        return True

    async def create_partitions(self, days: Sequence[date]) -> None:
        async with self._database.system_transaction() as session:
            for day in days:
                await session.execute(_CREATE, {"day": day})

    async def drop_before(self, day: date) -> int:
        """How many days were dropped."""
        async with self._database.system_transaction() as session:
            return int(await session.scalar(_DROP, {"before": day}) or 0)


async def forget_ticks_from(session: Session, moment: datetime) -> None:
    """Market time goes back to `moment`: what was said of later times will be said anew."""
    await session.execute(_FORGET_FROM, {"moment": moment})


def day_of(time_micros: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_micros)).date()


async def _copy(session: Session, ticks: CheckedTicks) -> None:
    count = len(ticks.series)
    if not count:
        return
    connection = session.connection
    async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        await copy.write(HEADER)
        for start in range(0, count, CHUNK_ROWS):
            await copy.write(encode_ticks(ticks, start, min(start + CHUNK_ROWS, count)))
        await copy.write(TRAILER)
