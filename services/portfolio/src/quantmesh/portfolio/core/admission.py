"""Whether a transaction may be recorded, given the books and the market: the rules beyond single fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from quantmesh.chassis.errors import Violation
from quantmesh.portfolio.core.balance import BalanceHistory
from quantmesh.portfolio.core.ended_options import EndedLater
from quantmesh.portfolio.core.errors import (
    AlreadyAdjusted,
    BeforeSplit,
    InsufficientCash,
    InsufficientHolding,
    InTheFuture,
    InvalidTransaction,
    UnknownSymbol,
)
from quantmesh.portfolio.core.exercised_lots import ExercisedLots
from quantmesh.portfolio.core.ledger_errors import BeforeExercise, MarginNotEnabled
from quantmesh.portfolio.core.market import Adjustment, Asset
from quantmesh.portfolio.core.model import Entry, PositionSide, Posting, TransactionInput, TransactionType
from quantmesh.portfolio.core.named_lots import NamedLots
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.option_terms import Settlement
from quantmesh.portfolio.core.posting_rules import ASSETS, CASH, SECURITIES, delivers, entry_of
from quantmesh.portfolio.core.times import rfc3339

# An account and what is counted in it: (assets:cash, USD), (assets:securities, AAPL).
Holding = tuple[str, str]

MOVES_NO_UNITS = frozenset({TransactionType.DIVIDEND})
# Of these the books say which side is meant, and how much of it there is.
_ENDS_LONG = frozenset({TransactionType.OPTION_EXERCISE})
_ENDS_SHORT = frozenset({TransactionType.OPTION_ASSIGNMENT})
_ENDS_EITHER = frozenset({TransactionType.OPTION_CLOSE, TransactionType.OPTION_EXPIRY})
# Of an option they go either way.
_TRADES = frozenset({TransactionType.BUY, TransactionType.SELL, TransactionType.OPTION_OPEN})
# The least that a split needs to be held, as stored.
_ANY = Decimal("1e-18")


@dataclass(slots=True)
class Books:
    """What is held, over time, from the earliest instant on at which something will be recorded.

    `counted_at` is the last instant at which an entry was made out of what was held of an instrument: a split, or an
    option's exercise. `may_owe`: balances may be less than zero. `exercised` are the options that will be exercised by
    delivery, `named` the instruments whose lots are named by what was recorded for later, `ended` the options of which
    something was recorded for later.
    """

    balances: dict[Holding, BalanceHistory] = field(default_factory=dict)
    counted_at: dict[str, datetime] = field(default_factory=dict)
    may_owe: bool = False
    exercised: dict[str, ExercisedLots] = field(default_factory=dict)
    named: dict[str, NamedLots] = field(default_factory=dict)
    ended: dict[str, EndedLater] = field(default_factory=dict)

    def balance(self, holding: Holding) -> BalanceHistory:
        history = self.balances.get(holding)
        if history is None:
            history = self.balances[holding] = BalanceHistory()
        return history

    def claims_on(self, symbol: str) -> list[NamedLots | EndedLater]:
        """Of what was recorded for later."""
        return [claims for claims in (self.named.get(symbol), self.ended.get(symbol)) if claims is not None]


def touched(asked: TransactionInput, currency: str) -> set[Holding]:
    """What Books must know before a transaction is admitted."""
    found = {(CASH, currency)}
    if asked.symbol:
        found.add((SECURITIES, asked.symbol))
    if asked.option is not None and (delivers(asked) or _may_deliver_later(asked)):
        found.add((SECURITIES, asked.option.underlying))
    return found


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


@exactly
def admit(asked: TransactionInput, currency: str, books: Books) -> Entry:
    """The entry, counted in `books`; several are admitted in order of `executed_at`.

    Raises InsufficientCash or InsufficientHolding where a balance would be negative then or later and may not be, or
    where an option's end that was recorded for later would not find what it ended, BeforeSplit or BeforeExercise where
    an entry recorded earlier was made out of what this changes, LotNotOpen where one names a lot that this takes.
    """
    _require_uncounted(asked, books)
    held = _held(asked, books)
    entry = entry_of(asked, currency, held)
    effects = [posting for posting in entry.postings if posting.account in ASSETS]
    _require_deliverable(asked, effects, books)
    if not books.may_owe:
        for posting in effects:
            if posting.amount < ZERO:
                _require(asked, books.balance((posting.account, posting.commodity)), posting)
    claimed = [(claims, each.amount) for each in effects for claims in books.claims_on(each.commodity)]
    for claims, quantity in claimed:
        claims.require(asked, quantity)
    for claims, quantity in claimed:
        claims.count(asked, quantity)
    for posting in effects:
        books.balance((posting.account, posting.commodity)).add(asked.executed_at, posting.amount)
    if asked.type is TransactionType.SPLIT or delivers(asked):
        books.counted_at[asked.symbol] = asked.executed_at
    if delivers(asked):
        # Taken from the lots once nothing refuses it any more: the cost moves no asset.
        return entry_of(asked, currency, held, books.exercised[asked.symbol].exercise(asked))
    if asked.symbol in books.exercised:
        books.exercised[asked.symbol].add(entry)
    return entry


def _require_uncounted(asked: TransactionInput, books: Books) -> None:
    moved = [] if asked.type in MOVES_NO_UNITS else [asked.symbol]
    if asked.option is not None and delivers(asked):
        moved.append(asked.option.underlying)
    for symbol in moved:
        at = books.counted_at.get(symbol)
        if at is not None and asked.executed_at < at:
            raise already_counted(symbol, at, is_option=asked.option is not None and symbol == asked.symbol)


def _may_deliver_later(asked: TransactionInput) -> bool:
    """Whether it may leave contracts that deliver when they expire."""
    return asked.type in _TRADES and asked.option is not None and asked.option.settlement is Settlement.PHYSICAL


def _require_deliverable(asked: TransactionInput, effects: Sequence[Posting], books: Books) -> None:
    """What more of them it leaves would find a split already counted on what was held without their delivery."""
    if asked.option is None or not _may_deliver_later(asked):
        return
    underlying, expiry = asked.option.underlying, asked.option.expiry
    split_at = books.counted_at.get(underlying)
    if split_at is None or expiry >= split_at:
        return
    left = books.balance((SECURITIES, asked.symbol)).at(expiry)
    moved = sum((posting.amount for posting in effects if posting.commodity == asked.symbol), ZERO)
    if abs(left + moved) > abs(left):
        raise BeforeSplit(underlying, split_at, delivered_by=asked.symbol)


def already_counted(symbol: str, at: datetime, *, is_option: bool) -> BeforeSplit | BeforeExercise:
    """The refusal of what would change the past of an entry that was made out of it."""
    return BeforeExercise(symbol, at) if is_option else BeforeSplit(symbol, at)


def _held(asked: TransactionInput, books: Books) -> Decimal:
    """What the rule of the type has to know of it, once there is enough."""
    kind = asked.type
    ends = kind in _ENDS_LONG or kind in _ENDS_SHORT or kind in _ENDS_EITHER
    if not (ends or kind in {TransactionType.SPLIT, TransactionType.OPTION_OPEN}):
        return ZERO
    held = books.balance((SECURITIES, asked.symbol)).at(asked.executed_at)
    short = asked.side is PositionSide.SHORT
    if kind is TransactionType.OPTION_OPEN:
        if short and not books.may_owe:
            raise MarginNotEnabled(asked.symbol)
        if held and (held > ZERO) is short:
            other = "long" if short else "short"
            description = f"a {other} position in {asked.symbol} is open then: close that first (option_close)"
            raise InvalidTransaction([Violation("side", description)])
        return held
    there = held if kind in _ENDS_LONG else -held if kind in _ENDS_SHORT else abs(held)
    needed = (asked.quantity or ZERO) if ends else _ANY
    if there < needed:
        nothing = f"is a split of {asked.symbol}, of which nothing is held on {rfc3339(asked.executed_at)}"
        raise InsufficientHolding(
            asked.symbol,
            needed=needed,
            available=max(there, ZERO),
            at=asked.executed_at,
            later=False,
            field="quantity" if ends else "symbol",
            description="" if ends else nothing,
        )
    return held


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
        reserved=headroom.reserved,
        field="amount" if asked.quantity is None else "quantity",
    )
