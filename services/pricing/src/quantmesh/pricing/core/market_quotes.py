"""What the market says of European options on one underlying, in columns."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantmesh.pricing.core.errors import InvalidArgument
from quantmesh.quant import black_scholes
from quantmesh.quant.errors import DomainError

Floats = NDArray[np.float64]

MOST_QUOTES = 2_000
_OF_QUOTES = frozenset({"option_type", "strike", "time_to_expiry", "price", "implied_volatility", "bid", "ask"})
# A spread below this part of the median is as good as that.
_LEAST_SPREAD = 0.05


@dataclass(frozen=True, slots=True)
class MarketQuotes:
    """`values` are prices or, unless `are_prices`, implied volatilities; `bid` and `ask` are in the same unit."""

    sign: NDArray[np.int8]
    strike: Floats
    time_to_expiry: Floats
    values: Floats
    are_prices: bool
    bid: Floats | None
    ask: Floats | None
    spot: float
    rate: float
    dividend_yield: float

    def __post_init__(self) -> None:
        if self.sign.size > MOST_QUOTES:
            raise InvalidArgument("quotes", self.sign.size, f"at most {MOST_QUOTES} of them")

    @property
    def contract(self) -> tuple[NDArray[np.int8], float, Floats, Floats, float, float]:
        return self.sign, self.spot, self.strike, self.time_to_expiry, self.rate, self.dividend_yield

    def volatility_spread(self, volatility: Floats) -> Floats | float:
        """Ask less bid, in volatilities; 1 for all where there are none."""
        if self.bid is None or self.ask is None:
            return 1.0
        width = self.ask - self.bid
        if self.are_prices:
            width = width / np.maximum(np.asarray(black_scholes.greeks(*self.contract, volatility).vega), 1e-12)
        spread: Floats = np.maximum(width, max(_LEAST_SPREAD * float(np.median(width)), 1e-12))
        return spread


@contextmanager
def errors_at_their_quote(place: Callable[[str], str] = str) -> Iterator[None]:
    """quant's errors as InvalidArgument, with the quote that is meant; `place` tells where other arguments are."""
    try:
        yield
    except DomainError as error:
        if error.index is not None and error.argument in _OF_QUOTES:
            where = f"quotes[{error.index}].{error.argument}"
        else:
            where = place(error.argument)
        raise InvalidArgument(where, error.value, error.requirement) from error
