"""The core's Ledger port over lists: a journal, and the balances that are kept beside it."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.portfolio.core.admission import Books, Holding
from quantmesh.portfolio.core.balance import BalanceHistory
from quantmesh.portfolio.core.errors import TransactionNotFound
from quantmesh.portfolio.core.lots import SecurityMovement
from quantmesh.portfolio.core.model import LotMethod, Portfolio, Transaction, TransactionType
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.option_terms import OptionTerms
from quantmesh.portfolio.core.orders import Order
from quantmesh.portfolio.core.ports import View
from quantmesh.portfolio.core.posting_rules import ASSETS, CASH, SECURITIES, delivers, trading

from .samples import START


class MemoryLedger:
    """Of one portfolio. What `append` is told of balances is kept as it is told, so that it can be checked."""

    def __init__(self, method: LotMethod, *, margin_enabled: bool = False) -> None:
        self.head = Portfolio(UUID(int=1), "Memory", "USD", method, START, 1, 0, margin_enabled)
        self.journal: list[Transaction] = []
        self.holdings: dict[Holding, Decimal] = {}
        self.fingerprints: dict[bytes, UUID] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing."""
        before = self.head, list(self.journal), dict(self.holdings), dict(self.fingerprints)
        try:
            yield
        except Exception:
            self.head, self.journal, self.holdings, self.fingerprints = before
            raise

    async def portfolio(self, _: UUID) -> Portfolio:
        return self.head

    async def recorded(self, _: UUID) -> tuple[Portfolio, datetime]:
        return self.head, max((item.recorded_at for item in self._seen(View())), default=self.head.created_at)

    async def advance(self, _: UUID, events: int, now: datetime) -> tuple[Portfolio, datetime]:
        self.head = replace(self.head, seq=self.head.seq + events)
        return self.head, now

    @exactly
    def _books(self, holdings: Collection[Holding], since: datetime) -> Books:
        later = defaultdict(list)
        counted: dict[str, datetime] = {}
        for item in self._standing(View()):
            at = item.entry.input.executed_at
            for side in item.entry.postings:
                if at > since:
                    later[side.account, side.commodity].append((at, side.amount))
            if self._counts(item):
                counted[item.entry.input.symbol] = at
        histories = {each: BalanceHistory(self.holdings.get(each, ZERO), later[each]) for each in holdings}
        return Books(histories, counted, self.head.margin_enabled)

    async def books(self, _: UUID, holdings: Collection[Holding], since: datetime) -> Books:
        return self._books(holdings, since)

    async def movements(
        self, _: UUID, view: View, symbols: Collection[str] = (), since: None = None
    ) -> Sequence[SecurityMovement]:
        return [
            SecurityMovement(
                type=item.entry.input.type,
                symbol=side.commodity,
                currency=item.entry.currency,
                executed_at=item.entry.input.executed_at,
                quantity=side.amount,
                gross=self._paid(item, side.commodity).copy_sign(1),
                ratio=item.entry.input.split_ratio,
                transaction_id=item.id,
                reverses=item.reverses,
                lots=item.entry.input.lots,
            )
            for item in self._seen(view)
            for side in item.entry.postings
            if side.account == SECURITIES and (not symbols or side.commodity in symbols)
        ]

    async def cash(self, _: UUID, view: View, since: None = None) -> Mapping[str, Decimal]:
        return {commodity: amount for (account, commodity), amount in self.sums(view).items() if account == CASH}

    async def append(
        self,
        transactions: Sequence[Transaction],
        balances: Mapping[Holding, Decimal],
        written: Callable[[int], None] | None = None,
    ) -> None:
        self.journal.extend(transactions)
        self.holdings |= balances
        if written is not None:
            written(len(transactions))

    async def standing(self, _: UUID, transaction_id: UUID) -> Transaction:
        for item in self.journal:
            if item.id == transaction_id:
                by = (other.id for other in self.journal if other.reverses == transaction_id)
                return replace(item, reversed_by=next(by, None))
        raise TransactionNotFound(transaction_id)

    async def imported(self, _: UUID, fingerprints: Collection[bytes]) -> Mapping[bytes, UUID]:
        return {each: self.fingerprints[each] for each in fingerprints if each in self.fingerprints}

    async def remember_imported(self, _: UUID, transactions: Mapping[bytes, UUID]) -> None:
        self.fingerprints |= transactions

    async def forget_imported(self, _: UUID, transaction_ids: Sequence[UUID]) -> None:
        self.fingerprints = {each: of for each, of in self.fingerprints.items() if of not in transaction_ids}

    async def standing_of_import(self, _: UUID, import_id: UUID) -> Sequence[Transaction]:
        recorded = [item.id for item in reversed(self.journal) if item.import_id == import_id]
        return [await self.standing(self.head.id, each) for each in recorded]

    async def counted(self, _: UUID, symbols: Collection[str]) -> Sequence[tuple[UUID, str, datetime, int]]:
        return [
            (item.id, item.entry.input.symbol, item.entry.input.executed_at, item.seq)
            for item in self._standing(View())
            if self._counts(item) and item.entry.input.symbol in symbols
        ]

    async def owes(self, _: UUID) -> bool:
        return any(amount < ZERO for amount in self.holdings.values())

    async def option_terms(self, _: UUID, symbols: Collection[str]) -> Mapping[str, OptionTerms]:
        asked = [item.entry.input for item in self.journal]
        return {each.symbol: each.option for each in asked if each.option is not None and each.symbol in symbols}

    async def open_orders(self, _: UUID, symbols: Collection[str]) -> Sequence[Order]:
        return []

    async def known(self, _: UUID, view: View, fold: str) -> View:
        return view

    async def snapshot(self, _: UUID, view: View, fold: str, before: datetime | None = None) -> None:
        """None are made."""

    @exactly
    def sums(self, view: View) -> dict[Holding, Decimal]:
        """The asset accounts, summed from the journal."""
        totals: dict[Holding, Decimal] = defaultdict(Decimal)
        for item in self._seen(view):
            for side in item.entry.postings:
                if side.account in ASSETS:
                    totals[side.account, side.commodity] += side.amount
        return dict(totals)

    def _seen(self, view: View) -> list[Transaction]:
        """In order of execution, then of recording."""
        shown = [
            item
            for item in self.journal
            if (view.seq is None or item.seq <= view.seq)
            and (view.as_of is None or item.entry.input.executed_at <= view.as_of)
            and (view.known_at is None or item.recorded_at <= view.known_at)
        ]
        return sorted(shown, key=lambda item: (item.entry.input.executed_at, item.seq))

    def _standing(self, view: View) -> list[Transaction]:
        seen = self._seen(view)
        undone = {item.reverses for item in seen}
        return [item for item in seen if item.reverses is None and item.id not in undone]

    @staticmethod
    def _counts(item: Transaction) -> bool:
        return item.entry.input.type is TransactionType.SPLIT or delivers(item.entry.input)

    @staticmethod
    def _paid(item: Transaction, symbol: str) -> Decimal:
        """The instrument's trading account in cash."""
        accounts = {(side.account, side.commodity): side.amount for side in item.entry.postings}
        return accounts.get((trading(symbol), item.entry.currency), ZERO)
