"""Values of the ledger: portfolios, transactions, postings. Frozen."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Self
from uuid import UUID

from quantmesh.portfolio.core.currency import DECIMAL_PLACES
from quantmesh.portfolio.core.errors import InvalidPortfolio, InvalidTransaction
from quantmesh.portfolio.core.fields import NAME_LIMIT, printable, violations_of


class TransactionType(StrEnum):
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    BUY = "buy"
    SELL = "sell"
    DIVIDEND = "dividend"
    INTEREST = "interest"
    FEE = "fee"
    SPLIT = "split"


class LotMethod(StrEnum):
    AVERAGE = "average"
    FIFO = "fifo"


@dataclass(frozen=True, slots=True)
class Portfolio:
    """`seq` is the number of the last event of its log, `version` rises with changes of the portfolio itself."""

    id: UUID
    name: str
    base_currency: str
    lot_method: LotMethod
    created_at: datetime
    version: int
    seq: int


@dataclass(frozen=True, slots=True)
class TransactionInput:
    """What is asked to be recorded. An empty `currency` is the instrument's, or the portfolio's base.

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

    def checked(self) -> Self:
        """Itself; InvalidTransaction with a violation per wrong field."""
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
            },
        )
        if violations:
            raise InvalidTransaction(violations)
        return self


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
    """A business event as recorded. `seq` is its number in the account's log, hence the order of recording."""

    id: UUID
    portfolio_id: UUID
    seq: int
    entry: Entry
    recorded_at: datetime
    order_id: UUID | None = None
    import_id: UUID | None = None


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
