"""All SQL of pricing."""

from collections.abc import Sequence
from uuid import UUID

from quantmesh.chassis.database import Database
from quantmesh.chassis.sql import text
from quantmesh.pricing.core.ports import QuoteRecord

# Row-level security rules out COPY; one statement over binary arrays comes close to it. A batch that was committed
# although its connection broke is offered again, hence the conflict clause.
_INSERT = """
    INSERT INTO quote_record (id, owner_id, request, response, input_hash, code_version, recorded_at)
    SELECT * FROM unnest(%b::uuid[], %b::uuid[], %b::bytea[], %b::bytea[], %b::bytea[], %b::text[], %b::timestamptz[])
    ON CONFLICT (id) DO NOTHING
"""
_FIND = text(
    "SELECT id, owner_id, request, response, input_hash, code_version, recorded_at FROM quote_record WHERE id = :id"
)


class QuoteStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, records: Sequence[QuoteRecord]) -> None:
        """Quotes of many owners, all or none."""
        columns = [
            [record.quote_id for record in records],
            [record.owner_id for record in records],
            [record.request for record in records],
            [record.response for record in records],
            [record.input_hash for record in records],
            [record.code_version for record in records],
            [record.recorded_at for record in records],
        ]
        async with self._database.system_transaction() as session:
            connection = session.connection
            await connection.execute(_INSERT, columns)

    async def find(self, owner_id: UUID, quote_id: UUID) -> QuoteRecord | None:
        async with self._database.transaction(owner_id) as session:
            row = (await session.execute(_FIND, {"id": quote_id})).one_or_none()
        return None if row is None else QuoteRecord(*row)
