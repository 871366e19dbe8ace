"""Whether a transaction may be recorded, given the books and the market: the rules beyond single fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from quantmesh.chassis.errors import Violation
from quantmesh.portfolio.core.balance import BalanceHistory
from quantmesh.portfolio.core.errors import (
    AlreadyAdjusted,
    BeforeSplit,
    InsufficientCash,
    InsufficientHolding,
    InTheFuture,
    InvalidTransaction,
    UnknownSymbol,
)
from quantmesh.portfolio.core.market import Adjustment, Asset
from quantmesh.portfolio.core.model import Entry, Posting, TransactionInput, TransactionType
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.posting_rules import CASH, SECURITIES, entry_of

# An account and what is counted in it: (assets:cash, USD), (assets:securities, AAPL).
Holding = tuple[str, str]

_SPLITTABLE = (TransactionType.BUY, TransactionType.SELL, TransactionType.SPLIT)
# The least that a split needs to be held, as stored.
_ANY = Decimal("1e-18")


@dataclass(slots=True)
class Books:
    """What is held, over time, from the earliest instant on at which something will be recorded."""

    balances: dict[Holding, BalanceHistory] = field(default_factory=dict)
    last_split_at: dict[str, datetime] = field(default_factory=dict)

    def balance(self, holding: Holding) -> BalanceHistory:
        return self.balances.setdefault(holding, BalanceHistory())


def touched(asked: TransactionInput, currency: str) -> set[Holding]:
    """What Books must know before a transaction is admitted."""
    return {(CASH, currency), (SECURITIES, asked.symbol)} if asked.symbol else {(CASH, currency)}


def currency_of(asked: TransactionInput, assets: Mapping[str, Asset], market_now: datetime) -> str:
    """The transaction's currency, once the market's rules are kept: known symbol, its currency, its adjustment, time.

    Empty where neither the transaction nor an instrument says it.
    Raises UnknownSymbol, InvalidTransaction, AlreadyAdjusted or InTheFuture.
    """
    if asked.executed_at > market_now:
        raise InTheFuture(asked.executed_at, market_now)
    if not asked.symbol:
        return asked.currency
    asset = assets.get(asked.symbol)
    if asset is None:
        raise UnknownSymbol(asked.symbol, "symbol")
    if asked.type is not TransactionType.DIVIDEND and asked.currency not in {"", asset.currency}:
        description = f"{asked.symbol} trades in {asset.currency}, not in {asked.currency}"
        raise InvalidTransaction([Violation("currency", description)])
    counted_twice = (asked.type is TransactionType.DIVIDEND and asset.adjustment is Adjustment.TOTAL_RETURN) or (
        asked.type is TransactionType.SPLIT and asset.adjustment is not Adjustment.RAW
    )
    if counted_twice:
        raise AlreadyAdjusted(asked.type.value, asked.symbol, asset.adjustment.value)
    return asked.currency or asset.currency


def admit(asked: TransactionInput, currency: str, books: Books) -> Entry:
    """The entry, counted in `books`; several are admitted in order of `executed_at`.

    Raises InsufficientCash or InsufficientHolding where a balance would be negative then or later, BeforeSplit where a
    split recorded earlier should have multiplied what this moves.
    """
    split_at = books.last_split_at.get(asked.symbol)
    if asked.type in _SPLITTABLE and split_at is not None and asked.executed_at < split_at:
        raise BeforeSplit(asked.symbol, split_at)
    held = ZERO
    if asked.type is TransactionType.SPLIT:
        held = books.balance((SECURITIES, asked.symbol)).at(asked.executed_at)
        if held <= ZERO:
            raise InsufficientHolding(
                asked.symbol, needed=_ANY, available=held, at=asked.executed_at, later=False, field="symbol"
            )
    entry = entry_of(asked, currency, held)
    effects = [posting for posting in entry.postings if posting.account in {CASH, SECURITIES}]
    for posting in effects:
        if posting.amount < ZERO:
            _require(asked, books.balance((posting.account, posting.commodity)), posting)
    for posting in effects:
        books.balance((posting.account, posting.commodity)).add(asked.executed_at, posting.amount)
    if asked.type is TransactionType.SPLIT:
        books.last_split_at[asked.symbol] = asked.executed_at
    return entry


@exactly
def _require(asked: TransactionInput, balance: BalanceHistory, posting: Posting) -> None:
    headroom = balance.headroom(asked.executed_at)
    if headroom.amount + posting.amount >= ZERO:
        return
    refusal = InsufficientCash if posting.account == CASH else InsufficientHolding
    raise refusal(
        posting.commodity,
        needed=-posting.amount,
        available=headroom.amount,
        at=headroom.at,
        later=headroom.later,
        field="amount" if asked.quantity is None else "quantity",
    )
