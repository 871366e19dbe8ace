"""What this service refuses, and why.

QuantmeshError
├── InvalidInput
│   ├── InvalidTransaction     fields missing, out of range, or not taken by the type
│   ├── InvalidPortfolio       a name or currency that cannot be
│   ├── InvalidOrder           quantity, side, type, time in force
│   ├── InvalidHalt            a kind that is a rule's alone, no cause
│   ├── InvalidRequest         a page or a range of dates
│   ├── InvalidCursor          a page cursor that this list did not give
│   ├── UnknownSymbol          the market has no such instrument
│   └── UnreadableImport       a CSV file as a whole
├── RuleBroken
│   ├── InsufficientCash       says by how much, and at which instant
│   ├── InsufficientHolding    the same for an instrument
│   ├── AlreadyAdjusted        a split or dividend on a series that holds it already
│   ├── BeforeSplit            an entry dated before a split that was recorded earlier
│   ├── BeforeExercise         the same of an option's exercise or assignment
│   ├── OutsideOptionLife      an option's event at a time at which it cannot be
│   ├── MarginNotEnabled       a short side in a portfolio that may not owe
│   ├── MarginExceeded         more is owed than the account's equity carries
│   ├── MarginInUse            margin cannot be switched off while something is owed
│   ├── PortfolioNotEmpty      nothing that is held or ordered is closed with its portfolio
│   ├── LotNotOpen             a lot that a sale names, or named, is not there
│   ├── TooManyLots            more open lots than one answer lists
│   ├── ReversalNotReversed    a correction is corrected by posting anew
│   ├── FillNotReversed        what an order traded is closed out by another order
│   ├── InTheFuture            executed after the market's now
│   ├── NotTradable            an instrument without a live feed
│   └── RateMissing            a day before there were rates, or a currency that nobody quotes
├── NotFound
│   ├── PortfolioNotFound, TransactionNotFound, ImportNotFound, OrderNotFound, HaltNotFound
│   └── ProofErased            the salt was destroyed with its owner's data
├── Conflict
│   ├── AlreadyReversed        a transaction, or all of an import, was taken back before
│   ├── IllegalTransition      an order cannot go from its state to that one
│   └── HaltLifted             a halt is lifted once
├── AlreadyExists
│   ├── HaltInForce            one of the kind covers the symbol already
│   └── OrderIdTaken           client_order_id is unique for ever in a portfolio
├── PreconditionFailed
│   ├── VersionMismatch        the portfolio changed since the caller saw it
│   └── OrderChanged           the same for an order
└── Unavailable
    └── MarketUnavailable      nobody can say what time it is or what an instrument is
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    RuleBroken,
    Unavailable,
    Violation,
)
from quantmesh.portfolio.core.currency import display_cash
from quantmesh.portfolio.core.numbers import ZERO, plain
from quantmesh.portfolio.core.pre_trade_errors import told_of
from quantmesh.portfolio.core.times import rfc3339


def listed(violations: Sequence[Violation]) -> str:
    return "; ".join(f"{violation.field}: {violation.description}" for violation in violations)


class InvalidTransaction(InvalidInput):
    problem = "invalid-transaction"

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(f"The transaction cannot be recorded: {listed(violations)}.", violations=violations)


class InvalidPortfolio(InvalidInput):
    problem = "invalid-portfolio"

    def __init__(self, field: str, description: str) -> None:
        super().__init__(f"{field}: {description}.", violations=[Violation(field, description)])


class InvalidHalt(InvalidInput):
    problem = "invalid-halt"

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(f"The halt cannot be imposed: {listed(violations)}.", violations=violations)


class InvalidRequest(InvalidInput):
    problem = "invalid-request"

    def __init__(self, field: str, description: str) -> None:
        super().__init__(f"{field}: {description}.", violations=[Violation(field, description)])


class InvalidCursor(InvalidInput):
    problem = "invalid-cursor"

    def __init__(self) -> None:
        description = "is not one that this list gave"
        super().__init__(f"The cursor {description}.", violations=[Violation("cursor", description)])


class UnknownSymbol(InvalidInput):
    problem = "unknown-symbol"

    def __init__(self, symbol: str, field: str) -> None:
        description = f"{symbol} is not in the asset catalogue; see GET /assets"
        super().__init__(f"{description}.", violations=[Violation(field, description)])


class UnreadableImport(InvalidInput):
    problem = "unreadable-import"

    def __init__(self, description: str) -> None:
        super().__init__(f"The file cannot be read: {description}.", violations=[Violation("csv", description)])


class _Insufficient(RuleBroken):
    """A balance that would fall below zero, at the transaction or later; numbers as the commodity's are shown."""

    def _shown(self, number: Decimal) -> str:
        return plain(number)

    def __init__(
        self,
        commodity: str,
        *,
        needed: Decimal,
        available: Decimal,
        at: datetime,
        later: bool,
        field: str,
        reserved: Decimal = ZERO,
        rule: str = "",
        suggestion: Mapping[str, str] | None = None,
        description: str = "",
    ) -> None:
        """`reserved` is what open orders keep beside `available`; of an order `rule` and what would pass instead.

        A `description` tells more than the numbers do.
        """
        self.commodity = commodity
        self.shortfall = needed - available
        shown = [self._shown(number) for number in (needed, available, self.shortfall)]
        when = f"{rfc3339(at)}, when later entries have used the rest" if later else rfc3339(at)
        if reserved > ZERO:
            when += f" beside {self._shown(reserved)} that open orders reserve"
        description = description or (
            f"needs {shown[0]} {commodity}, but only {shown[1]} is there on {when}: {shown[2]} {commodity} too much"
        )
        numbers = {
            "commodity": commodity,
            "needed": shown[0],
            "available": shown[1],
            "shortfall": shown[2],
            "at": rfc3339(at),
        }
        self.denial = {"rule": rule, **numbers}
        self.suggestion = suggestion
        super().__init__(
            f"This {description}.",
            violations=[Violation(field, description)],
            metadata=numbers | (told_of([self.denial], suggestion) if rule else {}),
        )


class InsufficientCash(_Insufficient):
    problem = "insufficient-cash"

    def _shown(self, number: Decimal) -> str:
        return f"{display_cash(number, self.commodity):f}"


class InsufficientHolding(_Insufficient):
    problem = "insufficient-holding"


class AlreadyAdjusted(RuleBroken):
    problem = "already-adjusted"

    def __init__(self, kind: str, symbol: str, adjustment: str) -> None:
        included = "splits and dividends" if adjustment == "total_return" else "splits"
        description = (
            f"the {symbol} series is adjusted ({adjustment}): its prices and units already hold {included}, "
            f"so a {kind} posted by hand would count it twice"
        )
        super().__init__(f"{description}.", violations=[Violation("type", description)])


class BeforeSplit(RuleBroken):
    problem = "before-split"

    def __init__(self, symbol: str, split_at: datetime, delivered_by: str = "") -> None:
        due = f"{delivered_by} may deliver {symbol} when it expires, and " if delivered_by else ""
        description = (
            f"{due}{symbol} has a split recorded on {rfc3339(split_at)}, counted on what was held then; "
            f"trades up to that instant have to be recorded before the split"
        )
        super().__init__(f"{description}.", violations=[Violation("executed_at", description)])


class InTheFuture(RuleBroken):
    problem = "in-the-future"

    def __init__(self, executed_at: datetime, market_now: datetime) -> None:
        description = f"{rfc3339(executed_at)} has not happened yet: the market's time is {rfc3339(market_now)}"
        super().__init__(f"{description}.", violations=[Violation("executed_at", description)])


class TooManyLots(RuleBroken):
    problem = "too-many-lots"

    def __init__(self, lots: int, most: int) -> None:
        description = f"the portfolio has {lots} open lots, and one answer lists {most} at most; ask by instrument"
        super().__init__(f"{description}.", violations=[Violation("lots", description)])


class RateMissing(RuleBroken):
    problem = "exchange-rate-missing"

    def __init__(self, currency: str, base_currency: str, day: date) -> None:
        super().__init__(
            f"There is no exchange rate from {currency} into {base_currency} on {day} or before it, so that the value"
            f" of that day cannot be told in one currency."
        )


class PortfolioNotFound(NotFound):
    problem = "portfolio-not-found"

    def __init__(self, portfolio_id: UUID | str) -> None:
        super().__init__(f"There is no portfolio {portfolio_id}.")


class TransactionNotFound(NotFound):
    problem = "transaction-not-found"

    def __init__(self, transaction_id: UUID | str) -> None:
        super().__init__(f"There is no transaction {transaction_id}.")


class HaltNotFound(NotFound):
    problem = "halt-not-found"

    def __init__(self, halt_id: UUID | str) -> None:
        super().__init__(f"There is no halt {halt_id}.")


class HaltLifted(Conflict):
    problem = "halt-lifted"

    def __init__(self, halt_id: UUID, lifted_at: datetime) -> None:
        super().__init__(f"The halt {halt_id} was lifted at {rfc3339(lifted_at)} already.")


class HaltInForce(AlreadyExists):
    problem = "halt-in-force"

    def __init__(self, kind: str, symbol: str) -> None:
        super().__init__(f"A halt of {symbol or 'the whole market'} of the kind {kind} is in force already.")


class ProofErased(NotFound):
    problem = "proof-erased"

    def __init__(self, transaction_id: UUID) -> None:
        super().__init__(f"The salt of transaction {transaction_id} was erased; its payload cannot be rebuilt.")


class VersionMismatch(PreconditionFailed):
    problem = "version-mismatch"

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"The portfolio is at version {actual}, not {expected}; read it again.")


class MarketUnavailable(Unavailable):
    problem = "market-unavailable"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, retry_after_seconds=1.0)
