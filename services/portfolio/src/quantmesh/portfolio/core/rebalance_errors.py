"""What is refused of rebalancing.

QuantmeshError
├── InvalidInput
│   └── InvalidRebalance        weights, amounts or orders that cannot be meant
└── RuleBroken
    ├── CannotRebalance         what is held or wanted cannot be ordered by weight, or has no price
    ├── RateStale               the last exchange rate of a currency is too old to weigh by
    └── BasketRefused           one of its orders cannot be filled whole now, so none was placed
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from quantmesh.chassis.errors import InvalidInput, RuleBroken, Violation
from quantmesh.portfolio.core.errors import listed
from quantmesh.portfolio.core.pre_trade_errors import told_of


class InvalidRebalance(InvalidInput):
    problem = "invalid-rebalance"

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(f"The portfolio cannot be rebalanced so: {listed(violations)}.", violations=violations)


class CannotRebalance(RuleBroken):
    problem = "cannot-rebalance"

    def __init__(self, symbol: str, reason: str) -> None:
        description = f"{symbol} {reason}"
        super().__init__(
            f"The portfolio cannot be rebalanced: {description}.", violations=[Violation("target_weights", description)]
        )


class RateStale(RuleBroken):
    problem = "exchange-rate-stale"

    def __init__(self, currency: str, base_currency: str, published: date, today: date) -> None:
        super().__init__(
            f"The last exchange rate from {currency} into {base_currency} is of {published}, too long before {today}"
            f" to weigh a portfolio by."
        )


class BasketRefused(RuleBroken):
    """`field` names the order; `denials` are of those that the account lacks something for, `suggestion` is the basket
    that it carries.
    """

    problem = "basket-refused"

    def __init__(
        self,
        symbol: str,
        reason: str,
        field: str,
        denials: Sequence[Mapping[str, str]] = (),
        suggestion: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            f"No order of the basket was placed, because that for {symbol} cannot be filled: {reason}.",
            violations=[Violation(field, reason)],
            metadata=told_of(denials, suggestion) if denials else {},
        )
