"""Recordings of one owner that share a transaction: their accounts are locked, read and written together.

Each runs the use case on a store of its own, which knows the account already and keeps what is appended to itself.
Whatever a use case reads beyond that is read after what was kept has been written.
"""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.idempotency import Claim
from quantmesh.chassis.sql import Parameters, Result, Row, Session, Statement, text
from quantmesh.portfolio.adapters.store import Store, rows
from quantmesh.portfolio.adapters.store.appending import prepare, write
from quantmesh.portfolio.adapters.store.journal import BOOKS, WANTED, Wanted, books_of, wanted_arrays
from quantmesh.portfolio.adapters.store.portfolios import COLUMNS, portfolio_of
from quantmesh.portfolio.core.admission import Books, Holding
from quantmesh.portfolio.core.errors import PortfolioNotFound
from quantmesh.portfolio.core.model import Portfolio, Transaction
from quantmesh.portfolio.core.told import id_text

# The twins' locks and the accounts'. Who works for several passes over what others hold: nobody shall wait for a
# stranger's lock, nor two groups for each other. Planning what follows anew would cost a third of its work.
_LOCK = f"""
    SELECT keys.held, own.* FROM (
        SELECT set_config('plan_cache_mode', 'force_generic_plan', true), ARRAY(
            SELECT pg_try_advisory_xact_lock(hashtextextended(name, 0))
            FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS claimed (name, place) ORDER BY place
        ) AS held
    ) AS keys
    LEFT JOIN LATERAL (
        SELECT {COLUMNS} FROM portfolio
        WHERE id = ANY (CAST(:portfolios AS uuid[])) AND deleted_at IS NULL
        ORDER BY id
        FOR NO KEY UPDATE
"""  # noqa: S608  our own column names
_LOCK_ONE = text(f"{_LOCK}) AS own ON true")
_LOCK_FREE = text(f"{_LOCK} SKIP LOCKED) AS own ON true")
# After the locks, to see what their last holders committed.
_READ = text(
    f"""
    WITH {WANTED}
    SELECT books.*, NULL AS key, NULL::bytea AS request_hash, NULL::bytea AS answer FROM ({BOOKS}) AS books
    UNION ALL
    SELECT 'answer', NULL, NULL, NULL, NULL, NULL, NULL, NULL, key, request_hash, answer
    FROM idempotency WHERE owner_id = :owner_id AND scope = :scope AND key = ANY (CAST(:keys AS text[]))
    ORDER BY executed_at, seq
    """  # noqa: S608  the fragments are our own
)


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    request_hash: bytes
    answer: bytes


@dataclass(slots=True)
class _Account:
    """A portfolio that this transaction has locked, as it is now; its time of recording is that of the last number."""

    portfolio: Portfolio
    recorded_at: datetime
    found: list[Row] = field(default_factory=list)


class SharedTransaction:
    def __init__(self, session: Session, owner_id: UUID) -> None:
        self._session = session
        self._owner_id = owner_id
        self._accounts: dict[UUID, _Account] = {}
        self._pending: dict[UUID, _Appended] = {}
        self._written: set[UUID] = set()
        self._read: set[Wanted] = set()
        self.answers: dict[str, KeptAnswer] = {}
        self.held: dict[str, bool] = {}

    async def lock(self, claims: Sequence[Claim], portfolios: Collection[UUID]) -> None:
        """One account is waited for; of several those that others hold stay unknown here."""
        names = [claim.name for claim in claims]
        statement = _LOCK_ONE if len(portfolios) == 1 else _LOCK_FREE
        found = (await self._session.execute(statement, {"names": names, "portfolios": list(portfolios)})).all()
        self.held = dict(zip([claim.key for claim in claims], found[0].held, strict=True))
        self._accounts = {row.id: _Account(portfolio_of(row), row.recorded_at) for row in found if row.id is not None}

    def portfolio(self, portfolio_id: UUID) -> Portfolio | None:
        account = self._accounts.get(portfolio_id)
        return None if account is None else account.portfolio

    async def read(self, claims: Sequence[Claim], wanted: Collection[Wanted]) -> None:
        """All of one scope."""
        self._read = set(wanted)
        keys = {"owner_id": self._owner_id, "scope": claims[0].scope, "keys": [claim.key for claim in claims]}
        for row in await self._session.execute(_READ, {**wanted_arrays(wanted), **keys}):
            if row.kind == "answer":
                self.answers[row.key] = KeptAnswer(bytes(row.request_hash), bytes(row.answer))
            else:
                self._accounts[row.portfolio_id].found.append(row)

    def store_for(self, portfolio_id: UUID, traceparent: str) -> "RecordingStore":
        session = _WriteFirst(self._session, self.write)
        return RecordingStore(session, self._owner_id, self, portfolio_id, traceparent)

    def advanced(self, portfolio_id: UUID, events: int, now: datetime) -> tuple[Portfolio, datetime]:
        account = self._accounts.get(portfolio_id)
        if account is None:
            raise PortfolioNotFound(portfolio_id)
        portfolio = account.portfolio
        return replace(portfolio, seq=portfolio.seq + events), max(account.recorded_at, now)

    def books(self, portfolio_id: UUID, holdings: Collection[Holding], since: datetime) -> Books:
        wanted = {Wanted(portfolio_id, holding, since) for holding in holdings}
        if not wanted <= self._read:
            msg = f"of portfolio {portfolio_id} other balances are asked for than were read: {wanted - self._read}"
            raise LookupError(msg)
        return books_of(portfolio_id, holdings, self._accounts[portfolio_id].found)

    def append(self, transaction: Transaction, balances: Mapping[Holding, Decimal], traceparent: str) -> None:
        self._pending[transaction.portfolio_id] = _Appended(transaction, balances, traceparent)

    def drop(self, portfolio_id: UUID) -> bool:
        """Nothing of this account is written; False where it is too late for that."""
        self._pending.pop(portfolio_id, None)
        return portfolio_id not in self._written

    async def write(self, answers: Mapping[Claim, bytes] | None = None) -> None:
        pending, self._pending = list(self._pending.values()), {}
        if not pending and not answers:
            return
        transactions = [each.transaction for each in pending]
        self._written.update(transaction.portfolio_id for transaction in transactions)
        holdings: dict[UUID, list[rows.Row]] = defaultdict(list)
        for each in pending:
            holdings[each.transaction.portfolio_id] += [
                {**rows.holding_row(holding, amount), "portfolio_id": id_text(each.transaction.portfolio_id)}
                for holding, amount in each.balances.items()
            ]
        await write(
            self._session,
            self._owner_id,
            {"owner_id": self._owner_id},
            prepare(transactions, {each.transaction.id: each.traceparent for each in pending}),
            holdings=[row for own in holdings.values() for row in own],
            numbers=[_number(transaction) for transaction in transactions],
            answers=[_answer(claim, answer) for claim, answer in (answers or {}).items()],
        )


@dataclass(frozen=True, slots=True)
class _Appended:
    transaction: Transaction
    balances: Mapping[Holding, Decimal]
    traceparent: str


class RecordingStore(Store):
    """The ledger to one recording of a shared transaction."""

    def __init__(
        self, session: Session, owner_id: UUID, shared: SharedTransaction, portfolio_id: UUID, traceparent: str
    ) -> None:
        super().__init__(session, owner_id)
        self._shared = shared
        self._portfolio_id = portfolio_id
        self._traceparent = traceparent

    async def advance(self, portfolio_id: UUID, events: int, now: datetime) -> tuple[Portfolio, datetime]:
        return self._shared.advanced(portfolio_id, events, now)

    async def books(self, portfolio_id: UUID, holdings: Collection[Holding], since: datetime) -> Books:
        return self._shared.books(portfolio_id, holdings, since)

    async def append(
        self,
        transactions: Sequence[Transaction],
        balances: Mapping[Holding, Decimal],
        _: Callable[[int], None] | None = None,
    ) -> None:
        (transaction,) = transactions
        self._shared.append(transaction, balances, self._traceparent)


class _WriteFirst(Session):
    """The same transaction, in which nothing is read before what was kept is written."""

    def __init__(self, session: Session, write: Callable[[], Awaitable[None]]) -> None:
        super().__init__(session.connection, b"")
        self._session = session
        self._write = write

    async def execute(self, statement: Statement, parameters: Parameters | None = None) -> Result:
        await self._write()
        return await self._session.execute(statement, parameters)


def _number(transaction: Transaction) -> rows.Row:
    return {"id": transaction.portfolio_id, "seq": transaction.seq, "recorded_at": transaction.recorded_at}


def _answer(claim: Claim, answer: bytes) -> rows.Row:
    return {
        "scope": claim.scope,
        "key": claim.key,
        "request_hash": b64encode(claim.request_hash).decode(),
        "answer": b64encode(answer).decode(),
    }
