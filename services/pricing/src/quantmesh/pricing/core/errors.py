"""What pricing says no to.

InvalidInput
├── InvalidArgument        an argument, alone or in one row of a batch, is outside its domain
└── InvalidColumns         the columns of a batch do not make a table of options
RuleBroken
├── UnsupportedModel       no such model, or not for this exercise style
├── UnsupportedGreeks      the model has no Greeks beyond the first order
├── NoInverse              the model has no volatility to imply
├── NoPrice                a search or a simulation ended without a finite price
└── NoImpliedVolatility    the price is below the intrinsic value, or above every price a volatility gives
NotFound
└── QuoteNotFound
Unavailable
└── RecordsBehind          quotes come faster than they can be recorded
"""

import math
from collections.abc import Callable, Sequence

from quantmesh.chassis.errors import InvalidInput, NotFound, RuleBroken, Unavailable, Violation
from quantmesh.quant.errors import DomainError


class InvalidArgument(InvalidInput):
    def __init__(self, field: str, value: object, requirement: str) -> None:
        description = f"must be {requirement}, got {value}"
        super().__init__(f"{field} {description}.", violations=[Violation(field, description)])

    @classmethod
    def placed(cls, error: DomainError, place: Callable[[str], str]) -> "InvalidArgument":
        """`place` tells where the request has the argument."""
        return cls(place(error.argument), error.value, error.requirement)

    @classmethod
    def of_column(cls, error: DomainError, first_row: int) -> "InvalidArgument":
        """`first_row` is the number of rows in the batches before this one; a constant column has no row."""
        place = "" if error.index is None else f"[{first_row + error.index}]"
        return cls(error.argument + place, error.value, error.requirement)


class InvalidColumns(InvalidInput):
    def __init__(self, field: str, description: str) -> None:
        super().__init__(f"{field}: {description}.", violations=[Violation(field, description)])


class UnsupportedModel(RuleBroken):
    problem = "unsupported-model"

    def __init__(self, model: str, style: str, accuracy: str, supported: Sequence[str]) -> None:
        with_accuracy = f" and accuracy {accuracy}" if accuracy else ""
        super().__init__(
            f"There is no model {model} for {style} exercise{with_accuracy}; there are {', '.join(supported)}.",
            metadata={"supported": ", ".join(supported)},
        )


class UnsupportedGreeks(RuleBroken):
    problem = "unsupported-model"

    def __init__(self, model: str, style: str) -> None:
        super().__init__(
            f"greeks must be of the first order for {model} of {style} exercise; closed forms have all: black_scholes "
            "of european exercise without cash dividends, black_76 and bachelier."
        )


class NoInverse(RuleBroken):
    problem = "no-volatility"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"{model} has no volatility to imply; calibrate it to prices instead.",
            violations=[Violation("model", "must be one with a volatility")],
        )


class NoPrice(RuleBroken):
    problem = "no-solution"

    def __init__(self, engine: str) -> None:
        super().__init__(f"These inputs have no finite price by {engine}; take less extreme ones.")


class NoImpliedVolatility(RuleBroken):
    problem = "no-volatility"

    def __init__(self, price: float, lowest: float, bound: float) -> None:
        self.price, self.lowest, self.bound = price, lowest, bound
        side = "below the intrinsic value" if price < lowest else "not below the bound"
        to_bound = f"from {lowest:.15g} to less than {bound:.15g}" if bound < math.inf else f"at least {lowest:.15g}"
        detail = f"No volatility gives the price {price}: it is {side}. This contract is worth {to_bound}."
        super().__init__(detail, violations=[Violation("price", f"{price} is {side}")])


class QuoteNotFound(NotFound):
    problem = "quote-not-found"

    def __init__(self, quote_id: str) -> None:
        super().__init__(f"There is no quote {quote_id}.")


class RecordsBehind(Unavailable):
    problem = "records-behind"

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} quotes wait to be recorded; try again shortly.", retry_after_seconds=1.0)
