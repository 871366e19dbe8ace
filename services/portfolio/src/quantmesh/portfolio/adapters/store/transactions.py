"""Recorded transactions read back, with their postings where the ledger is shown or a proof is rebuilt."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from quantmesh.chassis.sql import text
from quantmesh.portfolio.adapters.store import rows
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.core.errors import ProofErased, TransactionNotFound
from quantmesh.portfolio.core.model import Transaction
from quantmesh.portfolio.core.ports import View

SIDES = """
    (
        SELECT json_agg(json_build_object('account', account, 'commodity', commodity, 'amount', amount::text)
                        ORDER BY ordinal)::text
        FROM posting WHERE posting.portfolio_id = t.portfolio_id AND posting.transaction_id = t.id
    ) AS sides
"""
_NEWEST_FIRST = text(
    """
    SELECT t.*, r.id AS reversed_by FROM transaction AS t
    LEFT JOIN transaction AS r ON r.portfolio_id = t.portfolio_id AND r.reverses = t.id AND r.seq <= :seq
    WHERE t.portfolio_id = :portfolio_id AND t.seq <= :seq
      AND (CAST(:import_id AS uuid) IS NULL OR t.import_id = :import_id)
      AND (CAST(:before_time AS timestamptz) IS NULL OR (t.executed_at, t.seq) < (:before_time, :before_seq))
    ORDER BY t.executed_at DESC, t.seq DESC
    LIMIT :limit
    """
)
_IN_ORDER_OF_RECORDING = text(
    f"""
    SELECT t.*, {SIDES} FROM transaction AS t
    WHERE t.portfolio_id = :portfolio_id AND t.seq > :after AND t.seq <= :seq
      AND (CAST(:as_of AS timestamptz) IS NULL OR t.executed_at <= :as_of)
      AND (CAST(:known_at AS timestamptz) IS NULL OR t.recorded_at <= :known_at)
    ORDER BY t.seq
    LIMIT :limit
    """  # noqa: S608  our own subquery
)
_WITH_SALT = text(
    f"""
    SELECT t.*, {SIDES}, s.salt FROM transaction AS t
    LEFT JOIN transaction_salt AS s ON s.portfolio_id = t.portfolio_id AND s.transaction_id = t.id
    WHERE t.id = :id
    """  # noqa: S608  our own subquery
)


class TransactionStore(Owned):
    async def transactions(
        self, portfolio_id: UUID, seq: int, import_id: UUID | None, before: tuple[datetime, int] | None, limit: int
    ) -> list[Transaction]:
        """The latest executed first, without their postings; of one import where it is named."""
        before_time, before_seq = before or (None, None)
        found = await self._session.execute(
            _NEWEST_FIRST,
            {
                "portfolio_id": portfolio_id,
                "seq": seq,
                "import_id": import_id,
                "before_time": before_time,
                "before_seq": before_seq,
                "limit": limit,
            },
        )
        return [replace(rows.transaction_of(row, ()), reversed_by=row.reversed_by) for row in found]

    async def entries(self, portfolio_id: UUID, view: View, after: int, limit: int) -> Sequence[Transaction]:
        """As the journal was written, with postings."""
        found = await self._session.execute(
            _IN_ORDER_OF_RECORDING,
            {
                "portfolio_id": portfolio_id,
                "seq": view.seq,
                "as_of": view.as_of,
                "known_at": view.known_at,
                "after": after,
                "limit": limit,
            },
        )
        return [rows.transaction_of(row, json.loads(row.sides)) for row in found]

    async def transaction_with_salt(self, transaction_id: UUID) -> tuple[Transaction, bytes]:
        """Read from the ledger's rows as they stand now. Raises TransactionNotFound or ProofErased."""
        row = (await self._session.execute(_WITH_SALT, {"id": transaction_id})).one_or_none()
        if row is None:
            raise TransactionNotFound(transaction_id)
        if row.salt is None:
            raise ProofErased(transaction_id)
        return rows.transaction_of(row, json.loads(row.sides or "[]")), bytes(row.salt)
