"""Writing the journal: transactions with their postings, salts, log events and messages."""

import asyncio
import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis import outbox
from quantmesh.chassis.idempotency import Claim
from quantmesh.chassis.sql import Asked, Executor, text
from quantmesh.portfolio.adapters.events import TRANSACTION_RECORDED, transaction_message
from quantmesh.portfolio.adapters.hashing import keccak256, payload_of
from quantmesh.portfolio.adapters.store import rows
from quantmesh.portfolio.adapters.store.log import LogStore
from quantmesh.portfolio.core.account_log import AccountEvent, transaction_recorded
from quantmesh.portfolio.core.admission import Holding
from quantmesh.portfolio.core.known_account import KnownAccount
from quantmesh.portfolio.core.model import Transaction
from quantmesh.portfolio.core.numbers import exactly
from quantmesh.portfolio.core.proof import SALT_BYTES, leaf_of
from quantmesh.portfolio.core.told import id_text

# Enough for a round trip to be nothing beside the work, few enough to show progress and to stop quickly.
_PIECE_ROWS = 1_000
# All that a recording leaves, for one of them or thousands: ledger, log, balances, numbers, messages and kept answers.
# What all rows have in common comes from the record that the others are filled in from, which is only there where each
# portfolio in `numbers` is still what it was when this was decided, and nobody else holds it or one of the keys: all or
# nothing. What a transaction has taken from the log by an UPDATE of its own is not numbered again here.
# OFFSET 0 has each key looked up by itself: a plan for all values would rather read every key there is.
WRITE = text(
    f"""
    WITH held AS MATERIALIZED (
        SELECT n.id, n.seq, n.recorded_at
        FROM json_to_recordset(CAST(:numbers AS json)) AS n (
            id uuid, seq bigint, recorded_at timestamptz, seq_before bigint, recorded_before timestamptz, version bigint
        )
        CROSS JOIN LATERAL (
            SELECT FROM portfolio AS p
            WHERE p.id = n.id AND p.seq = n.seq_before AND p.version = n.version
              AND p.recorded_at = n.recorded_before AND p.deleted_at IS NULL
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS own
    ), kept AS MATERIALIZED (
        SELECT * FROM json_to_recordset(CAST(:answers AS json)) AS k (
            name text, scope text, key text, request_hash text, answer text
        )
        WHERE pg_try_advisory_xact_lock(hashtextextended(name, 0)) AND NOT EXISTS (
            SELECT FROM idempotency AS i
            WHERE i.owner_id = CAST(:event_owner_id AS uuid) AND i.scope = k.scope AND i.key = k.key
            OFFSET 0
        )
    ), shared AS MATERIALIZED (
        SELECT CAST(:shared AS json) AS ids
        WHERE (SELECT count(*) FROM held) = json_array_length(CAST(:numbers AS json))
          AND (SELECT count(*) FROM kept) = json_array_length(CAST(:answers AS json))
    ), transactions AS (
        INSERT INTO transaction
        SELECT r.* FROM shared CROSS JOIN json_populate_recordset(
            json_populate_record(NULL::transaction, ids), CAST(:transactions AS json)) AS r
    ), postings AS (
        INSERT INTO posting
        SELECT r.* FROM shared CROSS JOIN json_populate_recordset(
            json_populate_record(NULL::posting, ids), CAST(:postings AS json)) AS r
    ), salts AS (
        INSERT INTO transaction_salt
        SELECT r.* FROM shared CROSS JOIN json_populate_recordset(
            json_populate_record(NULL::transaction_salt, ids), CAST(:salts AS json)) AS r
    ), events AS (
        INSERT INTO account_event
        SELECT r.* FROM shared CROSS JOIN json_populate_recordset(
            json_populate_record(NULL::account_event, ids), CAST(:events AS json)) AS r
    ), holdings AS (
        INSERT INTO holding
        SELECT r.* FROM shared CROSS JOIN json_populate_recordset(
            json_populate_record(NULL::holding, ids), CAST(:holdings AS json)) AS r
        ON CONFLICT (portfolio_id, account, commodity) DO UPDATE SET amount = excluded.amount
    ), numbers AS (
        UPDATE portfolio SET seq = held.seq, recorded_at = held.recorded_at
        FROM shared CROSS JOIN held
        WHERE portfolio.id = held.id
    ), answers AS (
        INSERT INTO idempotency (owner_id, scope, key, request_hash, answer)
        SELECT CAST(:event_owner_id AS uuid), scope, key, decode(request_hash, 'base64'), decode(answer, 'base64')
        FROM shared CROSS JOIN kept
    ), {outbox.series_parts("shared")}
    SELECT count(*) = 1 AS written FROM shared
    """  # noqa: S608  the parts are our own
)
# Each entry is checked at the end of the statement that wrote it, whole, instead of all of them at the commit, which
# would have to look at a hundred thousand within one statement's time.
_CHECK_AT_ONCE = text("SET CONSTRAINTS balanced IMMEDIATE")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some transactions as the rows, events and messages that they become; `values` are those of WRITE."""

    values: Mapping[str, object]
    events: Sequence[AccountEvent]
    messages: Mapping[str, Sequence[outbox.SeriesEvent]]


class AppendStore(LogStore):
    async def append(
        self,
        transactions: Sequence[Transaction],
        balances: Mapping[Holding, Decimal],
        written: Callable[[int], None] | None = None,
    ) -> None:
        """One round trip per piece; while Postgres works on one, a thread prepares the next."""
        shared = {"portfolio_id": transactions[0].portfolio_id, "owner_id": self._owner_id}
        holdings = [rows.holding_row(holding, amount) for holding, amount in balances.items()]
        prepared = prepare(self._owner_id, transactions[:_PIECE_ROWS])
        if len(transactions) > _PIECE_ROWS:
            await self._session.execute(_CHECK_AT_ONCE)
        for end in range(_PIECE_ROWS, len(transactions), _PIECE_ROWS):
            following = transactions[end : end + _PIECE_ROWS]
            preparing = asyncio.create_task(asyncio.to_thread(prepare, self._owner_id, following))
            await write(self._session, shared, prepared)
            prepared = await preparing
            if written is not None:
                written(end)
        await self._session.send(*writing(shared, prepared, holdings=holdings))
        # Of a long import the end alone: nobody is told early of those.
        self.told += prepared.events


class Overtaken(Exception):
    """An account or a key is held, or is not any more what it was when this was decided; nothing was written."""


async def write(
    session: Executor,
    shared: rows.Row,
    piece: Piece,
    *,
    holdings: Sequence[rows.Row] = (),
    numbers: Sequence[rows.Row] = (),
    answers: Sequence[rows.Row] = (),
) -> None:
    """`numbers` are the newest of the portfolios' logs where they are not taken yet, `answers` those to keep.

    Raises Overtaken.
    """
    with outbox.versions_grow(TRANSACTION_RECORDED, piece.messages):
        written = await session.scalar(*writing(shared, piece, holdings=holdings, numbers=numbers, answers=answers))
    if not written:
        raise Overtaken


def writing(
    shared: rows.Row,
    piece: Piece,
    *,
    holdings: Sequence[rows.Row] = (),
    numbers: Sequence[rows.Row] = (),
    answers: Sequence[rows.Row] = (),
) -> Asked:
    """What `write` executes."""
    return WRITE, {
        "shared": rows.dump(shared),
        "holdings": rows.dump(holdings),
        "numbers": rows.dump(numbers),
        "answers": rows.dump(answers),
        **piece.values,
    }


def number_row(before: KnownAccount, seq: int, recorded_at: datetime) -> rows.Row:
    """The newest number of an account's log, which is written where the account is still what it was `before`."""
    return {
        "id": before.portfolio.id,
        "seq": seq,
        "recorded_at": recorded_at,
        "seq_before": before.portfolio.seq,
        "recorded_before": before.recorded_at,
        "version": before.portfolio.version,
    }


def answer_row(claim: Claim, answer: bytes) -> rows.Row:
    return {
        "name": claim.name,
        "scope": claim.scope,
        "key": claim.key,
        "request_hash": b64encode(claim.request_hash).decode(),
        "answer": b64encode(answer).decode(),
    }


@exactly
def prepare(
    owner_id: UUID, transactions: Sequence[Transaction], traceparents: Mapping[UUID, str] | None = None
) -> Piece:
    """`traceparents` of those that another call than this one asked for; then the rows name their portfolio too."""
    drawn = secrets.token_bytes(SALT_BYTES * len(transactions))
    salts = [drawn[start : start + SALT_BYTES] for start in range(0, len(drawn), SALT_BYTES)]
    events = [transaction_recorded(item, rows.dump) for item in transactions]
    messages: dict[str, list[outbox.SeriesEvent]] = {}
    for item, salt, event in zip(transactions, salts, events, strict=True):
        message = outbox.SeriesEvent(
            message=transaction_message(item, event, leaf_of(payload_of(item, salt), keccak256)),
            version=event.seq,
            occurred_at=event.time,
            traceparent=None if traceparents is None else traceparents[item.id],
        )
        messages.setdefault(id_text(item.portfolio_id), []).append(message)

    def row_of(item: Transaction, row: rows.Row) -> rows.Row:
        return row if traceparents is None else {**row, "portfolio_id": id_text(item.portfolio_id)}

    tables = {
        "transactions": [row_of(item, rows.transaction_row(item)) for item in transactions],
        "postings": [row_of(item, row) for item in transactions for row in rows.posting_rows(item)],
        "salts": [row_of(item, rows.salt_row(item, salt)) for item, salt in zip(transactions, salts, strict=True)],
        "events": [row_of(item, rows.event_row(event)) for item, event in zip(transactions, events, strict=True)],
    }
    written = {name: rows.dump(found) for name, found in tables.items()}
    return Piece(written | outbox.series(TRANSACTION_RECORDED, messages, owner_id=owner_id), events, messages)
