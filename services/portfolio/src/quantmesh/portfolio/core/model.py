"""Values of the ledger: portfolios, transactions, postings. Frozen."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Self
from uuid import UUID

from quantmesh.portfolio.core.currency import DECIMAL_PLACES
from quantmesh.portfolio.core.errors import InvalidPortfolio, InvalidTransaction
from quantmesh.portfolio.core.fields import NAME_LIMIT, choice_violations, printable, violations_of
from quantmesh.portfolio.core.option_terms import OptionTerms


class TransactionType(StrEnum):
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    BUY = "buy"
    SELL = "sell"
    DIVIDEND = "dividend"
    INTEREST = "interest"
    FEE = "fee"
    SPLIT = "split"
    OPTION_OPEN = "option_open"
    OPTION_CLOSE = "option_close"
    OPTION_EXERCISE = "option_exercise"
    OPTION_ASSIGNMENT = "option_assignment"
    OPTION_EXPIRY = "option_expiry"
    # Made from the transaction that it takes back, never asked for as such.
    REVERSAL = "reversal"


class LotMethod(StrEnum):
    """Which lots a sale takes: a share of all, the oldest, the newest, or those that it names (else the oldest)."""

    AVERAGE = "average"
    FIFO = "fifo"
    LIFO = "lifo"
    SPECIFIC = "specific"


class PositionSide(StrEnum):
    LONG = "long"
    SHORT = "short"


@dataclass(frozen=True, slots=True)
class Portfolio:
    """`seq` is the number of the last event of its log, `version` rises with changes of the portfolio itself.

    With `margin_enabled` cash and units may be less than zero.
    """

    id: UUID
    name: str
    base_currency: str
    lot_method: LotMethod
    created_at: datetime
    version: int
    seq: int
    margin_enabled: bool = False


@dataclass(frozen=True, slots=True)
class LotChoice:
    """So many units of the lot that a transaction opened."""

    transaction_id: UUID
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class TransactionInput:
    """What is asked to be recorded. An empty `currency` is the instrument's, or the portfolio's base.

    `side` is which side of an option is opened, or who pays a dividend (the short side does); None: long. `lots` are
    those that a sale takes. `option` is not asked for: the market says what the symbol stands for.

    Not validated when made but by `checked`, because a row of the ledger is read as it stands: what somebody altered
    behind our back must come out altered, so that its proof fails.
    """

    type: TransactionType
    executed_at: datetime
    currency: str = ""
    symbol: str = ""
    quantity: Decimal | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    fee: Decimal | None = None
    split_ratio: Decimal | None = None
    note: str = ""
    side: PositionSide | None = None
    lots: tuple[LotChoice, ...] = ()
    option: OptionTerms | None = None

    def checked(self) -> Self:
        """Itself, a fee of nothing without a sign; InvalidTransaction with a violation per wrong field."""
        violations = violations_of(
            self.type.value,
            {
                "symbol": self.symbol or None,
                "quantity": self.quantity,
                "price": self.price,
                "amount": self.amount,
                "fee": self.fee,
                "split_ratio": self.split_ratio,
                "currency": self.currency or None,
                "note": self.note or None,
                "side": self.side,
            },
        )
        if self.lots:
            chosen = [(str(lot.transaction_id), lot.quantity) for lot in self.lots]
            violations += choice_violations(self.type.value, self.quantity, chosen)
        if violations:
            raise InvalidTransaction(violations)
        return self if self.fee is None or not self.fee.is_signed() else replace(self, fee=self.fee.copy_abs())


@dataclass(frozen=True, slots=True)
class Posting:
    """One side of an entry; per entry and commodity the amounts sum to zero."""

    account: str
    commodity: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Entry:
    """What a transaction does to the books: its balanced postings. `cash_effect` is signed, fee included."""

    input: TransactionInput
    currency: str
    cash_effect: Decimal
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True)
class Transaction:
    """A business event as recorded. `seq` is its number in the account's log, hence the order of recording.

    `reverses` is the transaction that it takes back, `reversed_by` the one that took it back, where that was looked up.
    """

    id: UUID
    portfolio_id: UUID
    seq: int
    entry: Entry
    recorded_at: datetime
    order_id: UUID | None = None
    import_id: UUID | None = None
    reverses: UUID | None = None
    reversed_by: UUID | None = None


def checked_note(note: str) -> str:
    violations = violations_of("fee", {"amount": Decimal(1), "note": note or None})
    if violations:
        raise InvalidTransaction(violations)
    return note


def portfolio_name(name: str) -> str:
    """Trimmed; InvalidPortfolio where nothing, too much or something unprintable remains."""
    trimmed = name.strip()
    if not trimmed:
        raise InvalidPortfolio("name", "is empty")
    if len(trimmed) > NAME_LIMIT or not printable(trimmed):
        raise InvalidPortfolio("name", f"must be at most {NAME_LIMIT} printable characters")
    return trimmed


def base_currency(code: str) -> str:
    if code not in DECIMAL_PLACES:
        raise InvalidPortfolio("base_currency", f"{code[:8]!r} is not an ISO 4217 code such as USD")
    return code
