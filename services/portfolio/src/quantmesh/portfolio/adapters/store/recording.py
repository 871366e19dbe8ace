"""Recordings of one owner that share a transaction: their accounts are locked, read and written together.

Whatever a use case reads beyond its account is read after what was kept has been written.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from quantmesh.chassis.idempotency import Claim
from quantmesh.chassis.sql import Asked, Executor, Parameters, Result, Row, Statement, text
from quantmesh.portfolio.adapters.store.journal import BOOKS, WANTED, Wanted, known_of, wanted_arrays
from quantmesh.portfolio.adapters.store.portfolios import COLUMNS, portfolio_of
from quantmesh.portfolio.adapters.store.shared_accounts import RecordingStore, SharedAccounts
from quantmesh.portfolio.core.known_account import KnownAccount

# The twins' locks and the accounts'. Who others wait for passes over what somebody holds: nobody shall wait for a
# stranger's lock, nor two groups for each other.
_LOCKED = f"""
    SELECT keys.held, own.* FROM (
        SELECT ARRAY(
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
_LOCK = text(f"{_LOCKED}) AS own ON true")
_LOCK_FREE = text(f"{_LOCKED} SKIP LOCKED) AS own ON true")
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


def lock_of(claims: Sequence[Claim], portfolios: Collection[UUID], *, waits: bool) -> Asked:
    """Unless it `waits`, accounts that others hold are passed over; several are never waited for."""
    return _LOCK if waits else _LOCK_FREE, {
        "names": [claim.name for claim in claims],
        "portfolios": list(portfolios),
    }


class SharedTransaction(SharedAccounts):
    """`known` are accounts as they were; what their locked rows do not confirm is read anew."""

    def __init__(self, session: Executor, owner_id: UUID, known: Mapping[UUID, KnownAccount]) -> None:
        super().__init__(session, owner_id, {})
        self._known = known
        self.answers: dict[str, KeptAnswer] = {}
        self.held: dict[str, bool] = {}

    async def lock(self, claims: Sequence[Claim], lock: Asked) -> None:
        """By `lock_of` the claims."""
        found = (await self._session.execute(*lock)).all()
        self.held = dict(zip([claim.key for claim in claims], found[0].held, strict=True))
        for row in found:
            if row.id is not None:
                account = KnownAccount(portfolio_of(row), row.recorded_at)
                before = self._known.get(row.id)
                self._accounts[row.id] = before if before is not None and before.is_at(account) else account

    async def read(self, claims: Sequence[Claim], wanted: Collection[Wanted]) -> None:
        """All of one scope."""
        keys = {"owner_id": self._owner_id, "scope": claims[0].scope, "keys": [claim.key for claim in claims]}
        found: dict[UUID, list[Row]] = defaultdict(list)
        for row in await self._session.execute(_READ, {**wanted_arrays(wanted), **keys}):
            if row.kind == "answer":
                self.answers[row.key] = KeptAnswer(bytes(row.request_hash), bytes(row.answer))
            else:
                found[row.portfolio_id].append(row)
        for each in wanted:
            account = self._accounts[each.portfolio_id]
            self._accounts[each.portfolio_id] = known_of(account, each, found[each.portfolio_id])

    def store(self, traceparent: str) -> RecordingStore:
        return RecordingStore(_WriteFirst(self._session, self.write), self._owner_id, self, traceparent)


class _WriteFirst(Executor):
    """The same transaction, in which nothing is read before what was kept is written."""

    def __init__(self, session: Executor, write: Callable[[], Awaitable[None]]) -> None:
        self._session = session
        self._write = write

    async def execute(self, statement: Statement, parameters: Parameters | None = None) -> Result:
        await self._write()
        return await self._session.execute(statement, parameters)
