"""Closes as arrays: a binary COPY of fixed-width rows, which NumPy reads without a loop."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from psycopg import sql

from quantmesh.chassis.database import Database
from quantmesh.chassis.sql import Session, text
from quantmesh.market.core.common_closes import CloseSeries
from quantmesh.market.core.model import Asset

_REVISIONS = text("SELECT series, revision, recorded_at FROM asset WHERE series = ANY(:series)")
# date 0001-01-01 is ordinal 1, as in Python.
_COPY = sql.SQL(
    """
    COPY (
        SELECT DISTINCT ON (series, time)
            series, day - DATE '0001-01-01' + 1, (extract(epoch FROM time) * 1000000)::int8, close::float8
        FROM bar WHERE series IN ({series}) AND recorded_at <= {recorded_by} ORDER BY series, time, recorded_at DESC
    ) TO STDOUT (FORMAT BINARY)
    """
)
_HEADER_BYTES, _TRAILER_BYTES = 19, 2
# Number of fields, and before each field its length.
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("l1", ">i4"),
        ("series", ">i4"),
        ("l2", ">i4"),
        ("day", ">i4"),
        ("l3", ">i4"),
        ("time", ">i8"),
        ("l4", ">i4"),
        ("close", ">f8"),
    ]
)


@dataclass(frozen=True, slots=True)
class _Cached:
    revision: int
    closes: CloseSeries


class CloseStore:
    """Keeps what it has read until an ingestion raises the asset's revision, which every call looks up."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: dict[int, _Cached] = {}

    async def closes(self, assets: Sequence[Asset], recorded_by: datetime | None = None) -> list[CloseSeries]:
        numbers = [asset.series for asset in assets]
        async with self._database.system_transaction() as session:
            rows = (await session.execute(_REVISIONS, {"series": numbers})).all()
            revisions = {row.series: row.revision for row in rows}
            # Of what was ingested after that time an earlier state is asked for, which nobody asks for twice.
            past = [row.series for row in rows if recorded_by is not None and row.recorded_at > recorded_by]
            earlier = await _load(session, past, recorded_by) if past else {}
            wanted = [
                number
                for number in set(numbers) - set(past)
                if number not in self._cache or self._cache[number].revision != revisions[number]
            ]
            if wanted:
                for number, series in (await _load(session, wanted, None)).items():
                    self._cache[number] = _Cached(revisions[number], series)
        return [earlier[number] if number in earlier else self._cache[number].closes for number in numbers]


async def _load(session: Session, numbers: Sequence[int], recorded_by: datetime | None) -> dict[int, CloseSeries]:
    connection = session.connection
    statement = _COPY.format(
        series=sql.SQL(", ").join(sql.Literal(number) for number in numbers),
        recorded_by=sql.SQL("'infinity'") if recorded_by is None else sql.Literal(recorded_by),
    )
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        content = b"".join([bytes(block) async for block in copy])
    table = np.frombuffer(content[_HEADER_BYTES:-_TRAILER_BYTES], dtype=_ROW)
    loaded = {}
    for number in numbers:
        first, last = np.searchsorted(table["series"], [number, number + 1])
        rows = table[first:last]
        loaded[number] = CloseSeries(
            rows["day"].astype(np.int32), rows["time"].astype(np.int64), rows["close"].astype(np.float64)
        )
    return loaded
