"""Accounts of one owner in which something is recorded together.

Each recording runs the use case on a store of its own, which knows the account already and keeps what is appended to
itself, until all of it is written by one statement.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.database import Database
from quantmesh.chassis.idempotency import Claim
from quantmesh.chassis.sql import Executor, Parameters, Result, Statement
from quantmesh.portfolio.adapters.store import Store, rows
from quantmesh.portfolio.adapters.store.appending import WRITE, answer_row, number_row, prepare, write
from quantmesh.portfolio.core.admission import Books, Holding
from quantmesh.portfolio.core.errors import PortfolioNotFound
from quantmesh.portfolio.core.known_account import KnownAccount, NotKnown
from quantmesh.portfolio.core.model import Portfolio, Transaction
from quantmesh.portfolio.core.times import next_recording


@dataclass(frozen=True, slots=True)
class _Appended:
    transaction: Transaction
    balances: Mapping[Holding, Decimal]
    traceparent: str
    before: KnownAccount


class SharedAccounts:
    def __init__(self, session: Executor, owner_id: UUID, accounts: Mapping[UUID, KnownAccount]) -> None:
        self._session = session
        self._owner_id = owner_id
        self._accounts = dict(accounts)
        self._pending: dict[UUID, _Appended] = {}
        # The accounts as they are once what was written is committed.
        self.written: dict[UUID, KnownAccount] = {}

    def portfolio(self, portfolio_id: UUID) -> Portfolio | None:
        account = self._accounts.get(portfolio_id)
        return None if account is None else account.portfolio

    def store(self, traceparent: str) -> "RecordingStore":
        """For one of the recordings."""
        return RecordingStore(self._session, self._owner_id, self, traceparent)

    def advanced(self, portfolio_id: UUID, events: int, now: datetime) -> tuple[Portfolio, datetime]:
        account = self._accounts.get(portfolio_id)
        if account is None:
            raise PortfolioNotFound(portfolio_id)
        portfolio = account.portfolio
        return replace(portfolio, seq=portfolio.seq + events), next_recording(account.recorded_at, now)

    def books(self, portfolio_id: UUID, holdings: Collection[Holding], since: datetime) -> Books:
        """Raises NotKnown."""
        return self._accounts[portfolio_id].books(holdings, since)

    def append(self, transaction: Transaction, balances: Mapping[Holding, Decimal], traceparent: str) -> None:
        before = self._accounts[transaction.portfolio_id]
        self._pending[transaction.portfolio_id] = _Appended(transaction, balances, traceparent, before)

    def drop(self, portfolio_id: UUID) -> bool:
        """Nothing of this account is written; False where it is too late for that."""
        self._pending.pop(portfolio_id, None)
        return portfolio_id not in self.written

    async def write(self, answers: Mapping[Claim, bytes] | None = None) -> None:
        """Raises Overtaken."""
        pending, self._pending = list(self._pending.values()), {}
        if not pending and not answers:
            return
        self.written.update(
            {each.transaction.portfolio_id: each.before.recorded(each.transaction, each.balances) for each in pending}
        )
        holdings = [row for each in pending for row in rows.holding_rows(each.transaction.portfolio_id, each.balances)]
        await write(
            self._session,
            prepare(
                self._owner_id,
                [each.transaction for each in pending],
                {each.transaction.id: each.traceparent for each in pending},
            ),
            holdings=holdings,
            numbers=[number_row(each.before, each.transaction.seq, each.transaction.recorded_at) for each in pending],
            answers=[answer_row(claim, answer) for claim, answer in (answers or {}).items()],
        )


class RecordingStore(Store):
    """The ledger to one recording among others."""

    def __init__(self, session: Executor, owner_id: UUID, shared: SharedAccounts, traceparent: str) -> None:
        super().__init__(session, owner_id)
        self._shared = shared
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


class AtOnce(Executor):
    """What is known is written in one message, as a transaction by itself; there is none to read anything else in."""

    def __init__(self, database: Database, owner_id: UUID) -> None:
        self.database = database
        self._owner_id = owner_id

    async def execute(self, statement: Statement, parameters: Parameters | None = None) -> Result:
        """Raises NotKnown for all but the write."""
        if statement is not WRITE:
            raise NotKnown
        return await self.database.at_once(self._owner_id, statement, parameters or {})
