"""What is refused of rebalancing.

QuantmeshError
├── InvalidInput
│   └── InvalidRebalance        weights, amounts or orders that cannot be meant
└── RuleBroken
    ├── CannotRebalance         what is held or wanted cannot be traded in the base currency, or has no price
    └── BasketRefused           one of its orders cannot be filled whole now, so none was placed
"""

from collections.abc import Sequence

from quantmesh.chassis.errors import InvalidInput, RuleBroken, Violation
from quantmesh.portfolio.core.errors import listed


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


class BasketRefused(RuleBroken):
    problem = "basket-refused"

    def __init__(self, symbol: str, reason: str) -> None:
        super().__init__(f"No order of the basket was placed, because that for {symbol} cannot be filled: {reason}.")
