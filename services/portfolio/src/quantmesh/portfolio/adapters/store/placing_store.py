"""The ledger to an order that is being placed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.idempotency import Claim
from quantmesh.chassis.sql import Asked, Executor, Parameters, Result, Statement
from quantmesh.portfolio.adapters.store import Store, rows
from quantmesh.portfolio.adapters.store.appending import answer_row, number_row, prepare, writing
from quantmesh.portfolio.adapters.store.halts import NONE_FOR
from quantmesh.portfolio.adapters.store.journal import Wanted, books_question, known_of
from quantmesh.portfolio.adapters.store.liquidity import enough_demand, size_question
from quantmesh.portfolio.core.admission import Books, Holding
from quantmesh.portfolio.core.halts.model import Halt
from quantmesh.portfolio.core.known_account import KnownAccount, NotKnown
from quantmesh.portfolio.core.liquidity import LiquidityRequest
from quantmesh.portfolio.core.model import Portfolio, Transaction
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.times import next_recording


class PlacingStore(Store):
    """The ledger to a new order. `known_account` is what is known of it: from the beginning, or once it is read.

    Behind all that is written it is what it is then. `demands` go with the commit, behind all else.
    """

    def __init__(self, session: Executor, owner_id: UUID, account: KnownAccount | None = None) -> None:
        super().__init__(session, owner_id)
        self.known_account = account
        self.demands: list[Asked] = []

    async def lock(self, portfolio_id: UUID, now: datetime) -> tuple[Portfolio, datetime]:
        account = self.known_account
        if account is None:
            portfolio, recorded_at = await self.locked(portfolio_id)
            account = self.known_account = KnownAccount(portfolio, recorded_at)
        return account.portfolio, next_recording(account.recorded_at, now)

    async def books(self, portfolio_id: UUID, holdings: Collection[Holding], since: datetime) -> Books:
        account = self._known
        if not account.knows(holdings, since):
            found = (await self._session.execute(*books_question(portfolio_id, holdings, since))).all()
            for holding in holdings:
                account = known_of(account, Wanted(portfolio_id, holding, since), found)
            self.known_account = account
        return account.books(holdings, since)

    async def take_numbers(self, portfolio: Portfolio, events: int, recorded_at: datetime) -> None:
        await super().take_numbers(portfolio, events, recorded_at)
        self.known_account = self._known.numbered(portfolio.seq + events, recorded_at)

    async def reserve(self, portfolio_id: UUID, holding: Holding, more: Decimal) -> None:
        await super().reserve(portfolio_id, holding, more)
        self.known_account = self._known.reserving(holding, more)

    async def append(
        self,
        transactions: Sequence[Transaction],
        balances: Mapping[Holding, Decimal],
        written: Callable[[int], None] | None = None,
    ) -> None:
        await super().append(transactions, balances, written)
        self._learn(transactions, balances)

    def _learn(self, transactions: Sequence[Transaction], balances: Mapping[Holding, Decimal]) -> None:
        (transaction,) = transactions
        numbered = self._known
        self.known_account = numbered.recorded(transaction, balances).numbered(
            numbered.portfolio.seq, numbered.recorded_at
        )

    @property
    def _known(self) -> KnownAccount:
        if self.known_account is None:
            msg = "the account is not locked yet"
            raise NotKnown(msg)
        return self.known_account


class UnhinderedStore(PlacingStore):
    """The same to an order that is decided as if nothing that all accounts share were in its way.

    That there is no halt, no limit state, and enough of the quote, is demanded with the commit, which fails with
    ConcurrentUpdate where it is not so. Nothing that others want is held until then.
    """

    def __init__(self, session: Executor, owner_id: UUID, symbol: str, account: KnownAccount | None = None) -> None:
        super().__init__(session, owner_id, account)
        self._symbol = symbol

    async def halts(self) -> list[Halt]:
        self.demands.append((NONE_FOR, {"symbol": self._symbol}))
        return []

    async def take_liquidity(self, request: LiquidityRequest) -> Decimal:
        size, granted = request.size, request.at_most
        if size is not None and granted > ZERO:
            use = size_question(request.quote, request.order.request.side, granted)
            # Whether anything is halted is looked at once the quote's lock is had.
            self.demands = [use, enough_demand(request, size), *self.demands]
        return granted


class KnowingStore(UnhinderedStore):
    """The same to an order that is decided by what is known of its account alone; nothing is sent yet."""

    def __init__(self, owner_id: UUID, symbol: str, account: KnownAccount) -> None:
        self._unsent = _Unsent()
        super().__init__(self._unsent, owner_id, symbol, account)
        self._before = account
        self._transactions: Sequence[Transaction] = ()
        self._balances: Mapping[Holding, Decimal] = {}

    def asked(self, claim: Claim, answer: bytes) -> list[Asked]:
        """What writes all of it and keeps the answer.

        The last says whether it did: not where the account or the key is held, or the account is not what is known.
        """
        after, piece = self._known, prepare(self._owner_id, self._transactions)
        self.told += piece.events
        written = writing(
            piece,
            holdings=rows.holding_rows(after.portfolio.id, self._balances),
            numbers=[number_row(self._before, after.portfolio.seq, after.recorded_at)],
            answers=[answer_row(claim, answer)],
        )
        return [*self._unsent.asked, written]

    async def order_id_taken(self, _portfolio_id: UUID, _client_order_id: str) -> bool:
        """Not that anybody knew. The table refuses a second one of a name."""
        return False

    async def take_numbers(self, portfolio: Portfolio, events: int, recorded_at: datetime) -> None:
        self.known_account = self._known.numbered(portfolio.seq + events, recorded_at)

    async def append(
        self,
        transactions: Sequence[Transaction],
        balances: Mapping[Holding, Decimal],
        _: Callable[[int], None] | None = None,
    ) -> None:
        self._transactions, self._balances = transactions, balances
        self._learn(transactions, balances)


class _Unsent(Executor):
    """Keeps what is written. There is no transaction yet to read anything in."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    async def execute(self, statement: Statement, _: Parameters | None = None) -> Result:
        msg = f"there is no transaction yet to execute {statement.query[:40]!r} in"
        raise NotKnown(msg)

    async def send(self, statement: Statement, parameters: Parameters) -> None:
        self.asked.append((statement, parameters))
