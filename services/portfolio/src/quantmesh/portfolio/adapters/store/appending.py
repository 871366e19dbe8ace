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
# All or nothing: where a portfolio in `numbers` is not any more what it was when this was decided, or somebody else
# holds it or one of the keys, nothing of it is read. What a transaction has taken from the log by an UPDATE of its own
# is not numbered again here. A transaction's salt and event are in one row with it, since most of what a statement of
# few rows costs is what it is made of: each part, join and document that it has to read.
# OFFSET 0 has each key looked up by itself: a plan for all values would rather read every key there is.
_IS_FREE = "(SELECT is_so FROM free)"
_IF_FREE = f"CASE WHEN {_IS_FREE} THEN"
WRITE = text(
    f"""
    WITH held AS MATERIALIZED (
        SELECT n.id, n.seq, n.recorded_at, own.is_same
        FROM json_to_recordset(CAST(:numbers AS json)) AS n (
            id uuid, seq bigint, recorded_at timestamptz, seq_before bigint, recorded_before timestamptz, version bigint
        )
        LEFT JOIN LATERAL (
            SELECT true AS is_same FROM portfolio AS p
            WHERE p.id = n.id AND p.seq = n.seq_before AND p.version = n.version
              AND p.recorded_at = n.recorded_before AND p.deleted_at IS NULL
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS own ON true
    ), kept AS MATERIALIZED (
        SELECT *, pg_try_advisory_xact_lock(hashtextextended(name, 0)) AND NOT EXISTS (
            SELECT FROM idempotency AS i
            WHERE i.owner_id = CAST(:event_owner_id AS uuid) AND i.scope = k.scope AND i.key = k.key
            OFFSET 0
        ) AS is_new
        FROM json_to_recordset(CAST(:answers AS json)) AS k (
            name text, scope text, key text, request_hash text, answer text
        )
    ), free AS MATERIALIZED (
        SELECT NOT EXISTS (SELECT FROM held WHERE is_same IS NOT TRUE)
           AND NOT EXISTS (SELECT FROM kept WHERE is_new IS NOT TRUE) AS is_so
    ), recorded AS MATERIALIZED (
        SELECT * FROM json_to_recordset({_IF_FREE} CAST(:transactions AS json) END) AS r (
            portfolio_id uuid, id uuid, seq bigint, type text, symbol text, quantity numeric(38, 18),
            price numeric(38, 18), amount numeric(38, 18), fee numeric(38, 18), split_ratio numeric(38, 18),
            currency text, note text, cash_effect numeric(38, 18), postings smallint, executed_at timestamptz,
            recorded_at timestamptz, order_id uuid, import_id uuid, reverses uuid, side text, lots jsonb, option jsonb,
            salt bytea, event text, data text
        )
    ), transactions AS (
        INSERT INTO transaction (portfolio_id, id, owner_id, seq, type, symbol, quantity, price, amount, fee,
                                 split_ratio, currency, note, cash_effect, postings, executed_at, recorded_at,
                                 order_id, import_id, reverses, side, lots, option)
        SELECT portfolio_id, id, CAST(:event_owner_id AS uuid), seq, type, symbol, quantity, price, amount, fee,
               split_ratio, currency, note, cash_effect, postings, executed_at, recorded_at,
               order_id, import_id, reverses, side, lots, option
        FROM recorded
    ), salts AS (
        INSERT INTO transaction_salt (portfolio_id, transaction_id, owner_id, salt)
        SELECT portfolio_id, id, CAST(:event_owner_id AS uuid), salt FROM recorded
    ), events AS (
        INSERT INTO account_event (portfolio_id, seq, owner_id, type, occurred_at, recorded_at, data)
        SELECT portfolio_id, seq, CAST(:event_owner_id AS uuid), event, executed_at, recorded_at, data FROM recorded
    ), sides AS (
        INSERT INTO posting (portfolio_id, transaction_id, ordinal, owner_id, account, commodity, amount)
        SELECT portfolio_id, transaction_id, ordinal, CAST(:event_owner_id AS uuid), account, commodity, amount
        FROM json_populate_recordset(NULL::posting, {_IF_FREE} CAST(:postings AS json) END)
    ), balances AS (
        INSERT INTO holding (portfolio_id, account, commodity, owner_id, amount, reserved)
        SELECT portfolio_id, account, commodity, CAST(:event_owner_id AS uuid), amount, reserved
        FROM json_populate_recordset(NULL::holding, {_IF_FREE} CAST(:holdings AS json) END)
        ON CONFLICT (portfolio_id, account, commodity) DO UPDATE SET amount = excluded.amount
    ), numbers AS (
        UPDATE portfolio SET seq = held.seq, recorded_at = held.recorded_at
        FROM held
        WHERE portfolio.id = held.id AND {_IS_FREE}
    ), answers AS (
        INSERT INTO idempotency (owner_id, scope, key, request_hash, answer)
        SELECT CAST(:event_owner_id AS uuid), scope, key, decode(request_hash, 'base64'), decode(answer, 'base64')
        FROM kept
        WHERE {_IS_FREE}
    ), {outbox.series_parts(_IS_FREE)}
    SELECT is_so AS written FROM free
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
        holdings = rows.holding_rows(transactions[0].portfolio_id, balances)
        prepared = prepare(self._owner_id, transactions[:_PIECE_ROWS])
        if len(transactions) > _PIECE_ROWS:
            await self._session.execute(_CHECK_AT_ONCE)
        for end in range(_PIECE_ROWS, len(transactions), _PIECE_ROWS):
            following = transactions[end : end + _PIECE_ROWS]
            preparing = asyncio.create_task(asyncio.to_thread(prepare, self._owner_id, following))
            await write(self._session, prepared)
            prepared = await preparing
            if written is not None:
                written(end)
        await self._session.send(*writing(prepared, holdings=holdings))
        # Of a long import the end alone: nobody is told early of those.
        self.told += prepared.events


class Overtaken(Exception):
    """An account or a key is held, or is not any more what it was when this was decided; nothing was written."""


async def write(
    session: Executor,
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
        written = await session.scalar(*writing(piece, holdings=holdings, numbers=numbers, answers=answers))
    if not written:
        raise Overtaken


def writing(
    piece: Piece,
    *,
    holdings: Sequence[rows.Row] = (),
    numbers: Sequence[rows.Row] = (),
    answers: Sequence[rows.Row] = (),
) -> Asked:
    """What `write` executes."""
    return WRITE, {
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
    """`traceparents` of those that another call than this one asked for."""
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

    written = {
        "transactions": rows.dump(
            [rows.transaction_row(*each) for each in zip(transactions, salts, events, strict=True)]
        ),
        "postings": rows.dump([row for item in transactions for row in rows.posting_rows(item)]),
    }
    return Piece(written | outbox.series(TRANSACTION_RECORDED, messages, owner_id=owner_id), events, messages)
