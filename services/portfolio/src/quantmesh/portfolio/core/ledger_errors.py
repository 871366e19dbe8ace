"""What is refused of corrections, lots, options and margin; drawn in the tree of `core/errors.py`."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.errors import Conflict, NotFound, RuleBroken, Violation
from quantmesh.portfolio.core.currency import display_cash
from quantmesh.portfolio.core.numbers import plain
from quantmesh.portfolio.core.opening import Opening
from quantmesh.portfolio.core.pre_trade_errors import told_of
from quantmesh.portfolio.core.times import rfc3339

_MOST_SHOWN = 5


class BeforeExercise(RuleBroken):
    problem = "before-exercise"

    def __init__(self, symbol: str, exercised_at: datetime) -> None:
        description = (
            f"{symbol} has an exercise or assignment recorded on {rfc3339(exercised_at)}, which took the cost of what"
            f" was held then; entries up to that instant have to be recorded before it: reverse it, and post it again"
        )
        super().__init__(f"{description}.", violations=[Violation("executed_at", description)])


class OutsideOptionLife(RuleBroken):
    problem = "outside-option-life"

    def __init__(self, symbol: str, description: str) -> None:
        description = f"{symbol} {description}"
        super().__init__(f"{description}.", violations=[Violation("executed_at", description)])


class MarginNotEnabled(RuleBroken):
    problem = "margin-not-enabled"

    def __init__(self, symbol: str) -> None:
        description = f"a short side of {symbol} may be opened only where the portfolio's margin_enabled is true"
        super().__init__(f"{description}.", violations=[Violation("side", description)])


class MarginExceeded(RuleBroken):
    problem = "margin-exceeded"

    def __init__(
        self,
        currency: str,
        *,
        required: Decimal,
        equity: Decimal,
        field: str,
        passing: Decimal | None = None,
        opening: Opening | None = None,
    ) -> None:
        """`passing` is what would pass in place of the `field` of a recording, `opening` what less of an order may do;
        None where that is not known.
        """
        shown = _shown_margin(currency, required, equity)
        description = _too_little(currency, shown)
        numbers = {"currency": currency, "required": shown[0], "equity": shown[1], "shortfall": shown[2]}
        self.denial = {"rule": "margin", **numbers}
        self.opening = opening
        super().__init__(
            f"This {description}.",
            violations=[Violation(field, description)],
            metadata=numbers | told_of([self.denial], None if passing is None else {field: plain(passing)}),
        )

    def suggest(self, request: Mapping[str, str] | None) -> None:
        """A whole request as what would pass, or nothing."""
        self.metadata.pop("suggestion", None)
        self.metadata.update(told_of([self.denial], request))


def file_exceeds_margin(currency: str, *, required: Decimal, equity: Decimal) -> str:
    """Why none of a file's rows in that currency is recorded."""
    needs = _too_little(currency, _shown_margin(currency, required, equity))
    return f"margin: with the file's rows in {currency} the account {needs}; deposit that first, or correct the rows"


def _shown_margin(currency: str, required: Decimal, equity: Decimal) -> list[str]:
    return [f"{display_cash(number, currency):f}" for number in (required, equity, required - equity)]


def _too_little(currency: str, shown: list[str]) -> str:
    return f"needs an equity of {shown[0]} {currency} at cost, but there would be {shown[1]}: {shown[2]} too little"


class MarginInUse(RuleBroken):
    problem = "margin-in-use"

    def __init__(self, commodity: str, amount: Decimal) -> None:
        description = f"cannot be switched off while the portfolio holds {plain(amount)} {commodity}"
        super().__init__(f"margin_enabled {description}.", violations=[Violation("margin_enabled", description)])


class PortfolioNotEmpty(RuleBroken):
    problem = "portfolio-not-empty"

    def __init__(self, held: Mapping[str, Decimal], open_orders: int) -> None:
        """`held` is by currency or symbol."""
        shown = [f"{plain(amount)} {commodity}" for commodity, amount in list(held.items())[:_MOST_SHOWN]]
        if len(held) > _MOST_SHOWN:
            shown.append(f"{len(held) - _MOST_SHOWN} more")
        if open_orders:
            shown.append(f"{open_orders} open order{'s' if open_orders > 1 else ''}")
        super().__init__(
            f"The portfolio cannot be closed while it has {', '.join(shown)}: cancel what is open, sell and withdraw"
            " the rest."
        )


class LotNotOpen(RuleBroken):
    problem = "lot-not-open"

    def __init__(
        self, transaction_id: UUID, symbol: str, at: datetime, *, field: str = "lots", remedy: str = ""
    ) -> None:
        self.transaction_id, self.at = transaction_id, at
        description = (
            f"the lot of {symbol} that transaction {transaction_id} opened has not what is sold of it on {rfc3339(at)}"
            f"{remedy}"
        )
        super().__init__(f"{description}.", violations=[Violation(field, description)])


class ReversalNotReversed(RuleBroken):
    problem = "reversal-not-reversed"

    def __init__(self, transaction_id: UUID) -> None:
        super().__init__(
            f"Transaction {transaction_id} is itself a reversal; record what it took back once more instead."
        )


class FillNotReversed(RuleBroken):
    problem = "fill-not-reversed"

    def __init__(self, transaction_id: UUID, order_id: UUID, opposite: str) -> None:
        """`opposite` is what an order would do that closes the trade out, as "sell 3 IBM"."""
        description = f"filled order {order_id}, and what was traded stays; an order to {opposite} closes it out"
        super().__init__(
            f"Transaction {transaction_id} {description}.", violations=[Violation("transaction_id", description)]
        )


class AlreadyReversed(Conflict):
    problem = "already-reversed"

    def __init__(self, what: str, reversed_by: UUID | None = None) -> None:
        by = "" if reversed_by is None else f", by {reversed_by}"
        super().__init__(f"{what} was reversed before{by}.")


class ImportNotFound(NotFound):
    problem = "import-not-found"

    def __init__(self, import_id: UUID | str) -> None:
        super().__init__(f"There is no import {import_id} in this portfolio.")
