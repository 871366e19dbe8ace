"""Writing the journal: transactions with their postings, salts, log events and messages."""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis import outbox
from quantmesh.chassis.sql import text
from quantmesh.portfolio.adapters.events import TRANSACTION_RECORDED, transaction_message
from quantmesh.portfolio.adapters.keccak import keccak256
from quantmesh.portfolio.adapters.store import rows
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.core.account_log import transaction_recorded
from quantmesh.portfolio.core.admission import Holding
from quantmesh.portfolio.core.model import Transaction
from quantmesh.portfolio.core.numbers import exactly
from quantmesh.portfolio.core.proof import SALT_BYTES, leaf_of, payload_of

# Enough for a round trip to be nothing beside the work, few enough to show progress and to stop quickly.
_PIECE_ROWS = 1_000
# What all rows of a piece have in common comes from the record that the others are filled in from.
_APPEND = text(
    """
    WITH shared AS (
        SELECT CAST(:shared AS json) AS ids
    ), transactions AS (
        INSERT INTO transaction
        SELECT r.* FROM shared, json_populate_recordset(
            json_populate_record(NULL::transaction, ids), CAST(:transactions AS json)) AS r
    ), postings AS (
        INSERT INTO posting
        SELECT r.* FROM shared, json_populate_recordset(
            json_populate_record(NULL::posting, ids), CAST(:postings AS json)) AS r
    ), salts AS (
        INSERT INTO transaction_salt
        SELECT r.* FROM shared, json_populate_recordset(
            json_populate_record(NULL::transaction_salt, ids), CAST(:salts AS json)) AS r
    ), events AS (
        INSERT INTO account_event
        SELECT r.* FROM shared, json_populate_recordset(
            json_populate_record(NULL::account_event, ids), CAST(:events AS json)) AS r
    )
    INSERT INTO holding
    SELECT r.* FROM shared, json_populate_recordset(
        json_populate_record(NULL::holding, ids), CAST(:holdings AS json)) AS r
    ON CONFLICT (portfolio_id, account, commodity) DO UPDATE SET amount = excluded.amount
    """
)
# Each entry is checked at the end of the statement that wrote it, whole, instead of all of them at the commit, which
# would have to look at a hundred thousand within one statement's time.
_CHECK_AT_ONCE = text("SET CONSTRAINTS balanced IMMEDIATE")


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some transactions as the rows and messages that they become."""

    tables: Mapping[str, str]
    messages: Sequence[outbox.SeriesEvent]


class AppendStore(Owned):
    async def append(
        self,
        transactions: Sequence[Transaction],
        balances: Mapping[Holding, Decimal],
        written: Callable[[int], None] | None = None,
    ) -> None:
        """One round trip per piece; while Postgres works on one, a thread prepares the next."""
        portfolio_id = transactions[0].portfolio_id
        prepared = _prepare(transactions[:_PIECE_ROWS])
        if len(transactions) > _PIECE_ROWS:
            await self._session.execute(_CHECK_AT_ONCE)
        for end in range(_PIECE_ROWS, len(transactions), _PIECE_ROWS):
            following = transactions[end : end + _PIECE_ROWS]
            prepared, _ = await asyncio.gather(
                asyncio.to_thread(_prepare, following), self._write(portfolio_id, prepared, {})
            )
            if written is not None:
                written(end)
        await self._write(portfolio_id, prepared, balances)

    async def _write(self, portfolio_id: UUID, piece: _Piece, balances: Mapping[Holding, Decimal]) -> None:
        shared = rows.dump({"portfolio_id": portfolio_id, "owner_id": self._owner_id})
        holdings = rows.dump([rows.holding_row(holding, amount) for holding, amount in balances.items()])
        await self._session.execute(_APPEND, {"shared": shared, "holdings": holdings, **piece.tables})
        await outbox.append_series(
            self._session, TRANSACTION_RECORDED, piece.messages, aggregate_id=portfolio_id, owner_id=self._owner_id
        )


@exactly
def _prepare(transactions: Sequence[Transaction]) -> _Piece:
    salts = [secrets.token_bytes(SALT_BYTES) for _ in transactions]
    events = [transaction_recorded(item) for item in transactions]
    tables = {
        "transactions": rows.dump([rows.transaction_row(item) for item in transactions]),
        "postings": rows.dump([row for item in transactions for row in rows.posting_rows(item)]),
        "salts": rows.dump([rows.salt_row(item, salt) for item, salt in zip(transactions, salts, strict=True)]),
        "events": rows.dump([rows.event_row(event) for event in events]),
    }
    messages = [
        outbox.SeriesEvent(
            message=transaction_message(item, event, leaf_of(payload_of(item, salt), keccak256)),
            version=event.seq,
            occurred_at=event.time,
        )
        for item, salt, event in zip(transactions, salts, events, strict=True)
    ]
    return _Piece(tables, messages)
