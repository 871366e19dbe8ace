"""What pricing says no to.

InvalidInput
├── InvalidArgument        an argument, alone or in one row of a batch, is outside its domain
└── InvalidColumns         the columns of a batch do not make a table of options
RuleBroken
├── UnsupportedModel       no such model, or not for this exercise style
└── NoImpliedVolatility    the price is below the intrinsic value, or above every price a volatility gives
NotFound
└── QuoteNotFound
Unavailable
└── RecordsBehind          quotes come faster than they can be recorded
"""

from quantmesh.chassis.errors import InvalidInput, NotFound, RuleBroken, Unavailable, Violation
from quantmesh.quant.errors import DomainError

_IN_CONTRACT = frozenset({"option_type", "spot", "strike", "time_to_expiry", "rate", "dividend_yield"})


class InvalidArgument(InvalidInput):
    def __init__(self, field: str, value: object, requirement: str) -> None:
        description = f"must be {requirement}, got {value}"
        super().__init__(f"{field} {description}.", violations=[Violation(field, description)])

    @classmethod
    def of_contract(cls, error: DomainError) -> "InvalidArgument":
        prefix = "contract." if error.argument in _IN_CONTRACT else ""
        return cls(prefix + error.argument, error.value, error.requirement)

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

    def __init__(self, model: str, style: str) -> None:
        super().__init__(
            f"There is no model {model} for {style} exercise yet; there is black_scholes for european exercise.",
            metadata={"supported": "black_scholes/european"},
        )


class NoImpliedVolatility(RuleBroken):
    problem = "no-volatility"

    def __init__(self, price: float, lowest: float, bound: float) -> None:
        self.price, self.lowest, self.bound = price, lowest, bound
        side = "below the intrinsic value" if price < lowest else "not below the bound"
        detail = (
            f"No volatility gives the price {price}: it is {side}. "
            f"This contract is worth from {lowest:.15g} to less than {bound:.15g}."
        )
        super().__init__(detail, violations=[Violation("price", f"{price} is {side}")])


class QuoteNotFound(NotFound):
    problem = "quote-not-found"

    def __init__(self, quote_id: str) -> None:
        super().__init__(f"There is no quote {quote_id}.")


class RecordsBehind(Unavailable):
    problem = "records-behind"

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} quotes wait to be recorded; try again shortly.", retry_after_seconds=1.0)
