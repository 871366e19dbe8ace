"""What the market says of European options on one underlying, in columns."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from quantmesh.pricing.core.errors import InvalidArgument
from quantmesh.quant import black_scholes
from quantmesh.quant.errors import DomainError

Floats = NDArray[np.float64]

MOST_QUOTES = 2_000
_OF_QUOTES = frozenset({"option_type", "strike", "time_to_expiry", "price", "implied_volatility", "bid", "ask"})
# Beyond them a price says nothing of its volatility any more.
_LEAST_VOLATILITY, _MOST_VOLATILITY = 1e-6, 100.0
# A spread below this part of the median is as good as that, and in volatilities none says less than the widest.
_LEAST_SPREAD = 0.05
_WIDEST_SPREAD = 1e6


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
        if not self.are_prices:
            wrong = np.flatnonzero(~((self.values >= _LEAST_VOLATILITY) & (self.values <= _MOST_VOLATILITY)))
            if wrong.size:
                row = int(wrong[0])
                bounds = f"from {_LEAST_VOLATILITY:g} to {_MOST_VOLATILITY:g}"
                raise InvalidArgument(f"quotes[{row}].implied_volatility", float(self.values[row]), bounds)
        if self.bid is None or self.ask is None:
            if self.bid is not self.ask:
                given = "bids" if self.ask is None else "asks"
                raise InvalidArgument("quotes", f"{given} alone", "given with both a bid and an ask, or with neither")
            return
        wrong = np.flatnonzero(~((self.bid >= 0.0) & (self.ask >= self.bid) & (self.ask < np.inf)))
        if wrong.size:
            row = int(wrong[0])
            raise InvalidArgument(f"quotes[{row}].ask", float(self.ask[row]), f"at least the bid of {self.bid[row]:g}")

    @property
    def contract(self) -> tuple[NDArray[np.int8], float, Floats, Floats, float, float]:
        return self.sign, self.spot, self.strike, self.time_to_expiry, self.rate, self.dividend_yield

    def volatility_spread(self, volatility: Floats) -> Floats | float:
        """Ask less bid, in volatilities; 1 for all where there are none.

        A price far from the money hardly moves with volatility: its spread in volatilities is as good as endless.
        """
        if self.bid is None or self.ask is None:
            return 1.0
        width = self.ask - self.bid
        if self.are_prices:
            width = width / np.maximum(np.asarray(black_scholes.greeks(*self.contract, volatility).vega), 1e-12)
        least = max(_LEAST_SPREAD * float(np.median(width)), 1e-12)
        spread: Floats = np.minimum(np.maximum(width, least), _WIDEST_SPREAD)
        return spread


@contextmanager
def errors_at_their_quote(
    names: Mapping[str, str] = MappingProxyType({}), rows: Mapping[str, Sequence[int]] = MappingProxyType({})
) -> Iterator[None]:
    """quant's errors as InvalidArgument, with the quote that is meant.

    `names` tells what a request calls an argument that has another name in quant; `rows`, by quant's argument, which
    quote each of its elements comes from, where it is not one for each quote.
    """
    try:
        yield
    except DomainError as error:
        where = names.get(error.argument, error.argument)
        if where in _OF_QUOTES:
            row = error.index
            if row is not None and error.argument in rows:
                row = rows[error.argument][row]
            where = "quotes" if row is None else f"quotes[{row}].{where}"
        raise InvalidArgument(where, error.value, error.requirement) from error
