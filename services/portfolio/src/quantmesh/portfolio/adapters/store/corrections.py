"""What a correction has to know of what was recorded, and what an import leaves when it is taken back."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from quantmesh.chassis.sql import Row, text
from quantmesh.portfolio.adapters.store import rows
from quantmesh.portfolio.adapters.store.journal import COUNTED, NOT_TAKEN_BACK
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.adapters.store.transactions import SIDES
from quantmesh.portfolio.core.errors import TransactionNotFound
from quantmesh.portfolio.core.ledger_errors import ImportNotFound
from quantmesh.portfolio.core.model import Transaction
from quantmesh.portfolio.core.option_terms import OptionTerms, is_option_symbol, terms_of

# A transaction with the one that took it back, if one did.
_STANDING = f"""
    SELECT t.*, {SIDES}, r.id AS reversed_by FROM transaction AS t
    LEFT JOIN transaction AS r ON r.portfolio_id = t.portfolio_id AND r.reverses = t.id
    WHERE t.portfolio_id = :portfolio_id
"""  # noqa: S608  our own subquery
_ONE = text(f"{_STANDING} AND t.id = :id")
_OF_IMPORT = text(f"{_STANDING} AND t.import_id = :import_id ORDER BY t.seq DESC")
_COUNTED = text(
    f"""
    SELECT t.id, t.symbol, t.executed_at, t.seq FROM transaction AS t
    WHERE t.portfolio_id = :portfolio_id AND {COUNTED} AND {NOT_TAKEN_BACK} AND t.symbol = ANY(:symbols)
    """  # noqa: S608  the fragments are our own
)
_FORGET = text(
    """
    DELETE FROM imported_row
    WHERE portfolio_id = :portfolio_id AND transaction_id = ANY(CAST(:transaction_ids AS uuid[]))
    """
)
_TERMS = text(
    """
    SELECT DISTINCT ON (symbol) symbol, option FROM transaction
    WHERE portfolio_id = :portfolio_id AND option IS NOT NULL AND symbol = ANY(:symbols)
    ORDER BY symbol, seq DESC
    """
)


class CorrectionStore(Owned):
    async def standing(self, portfolio_id: UUID, transaction_id: UUID) -> Transaction:
        found = await self._session.execute(_ONE, {"portfolio_id": portfolio_id, "id": transaction_id})
        row = found.one_or_none()
        if row is None:
            raise TransactionNotFound(transaction_id)
        return _standing(row)

    async def standing_of_import(self, portfolio_id: UUID, import_id: UUID) -> Sequence[Transaction]:
        found = await self._session.execute(_OF_IMPORT, {"portfolio_id": portfolio_id, "import_id": import_id})
        standing = [_standing(row) for row in found]
        if not standing:
            raise ImportNotFound(import_id)
        return standing

    async def counted(self, portfolio_id: UUID, symbols: Collection[str]) -> Sequence[tuple[UUID, str, datetime, int]]:
        found = await self._session.execute(_COUNTED, {"portfolio_id": portfolio_id, "symbols": list(symbols)})
        return [(row.id, row.symbol, row.executed_at, row.seq) for row in found]

    async def forget_imported(self, portfolio_id: UUID, transaction_ids: Sequence[UUID]) -> None:
        keys = {"portfolio_id": portfolio_id, "transaction_ids": list(transaction_ids)}
        await self._session.execute(_FORGET, keys)

    async def option_terms(self, portfolio_id: UUID, symbols: Collection[str]) -> Mapping[str, OptionTerms]:
        options = [symbol for symbol in symbols if is_option_symbol(symbol)]
        if not options:
            return {}
        found = await self._session.execute(_TERMS, {"portfolio_id": portfolio_id, "symbols": options})
        return {row.symbol: terms_of(row.option) for row in found}


def _standing(row: Row) -> Transaction:
    return replace(rows.transaction_of(row, json.loads(row.sides)), reversed_by=row.reversed_by)
