"""Market quotes of European options, checked when they are made."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant import black_scholes
from quantmesh.quant._arguments import DIVIDEND_YIELD, PRICE, RATE, SPOT, VOLATILITY, Domain, Floats, broadcast
from quantmesh.quant._quotes import POSITIVE_FORWARD, POSITIVE_STRIKE, POSITIVE_TIME, quote_columns
from quantmesh.quant.errors import DomainError

# A quote far in a wing says little about volatility: it counts as if its vega were this part of the largest one, which
# has to be above this part of the spot, or all prices are at their intrinsic values.
_LEAST_VEGA = 0.01
_LEAST_LARGEST_VEGA = 1e-12
_CONTRACT = (SPOT, POSITIVE_STRIKE, POSITIVE_TIME, RATE, DIVIDEND_YIELD)
_DISCOUNT_FACTOR = Domain("discount_factor", 1e-12, 1e12, "a positive number")
_ABOVE_BID = "at least the bid"
_ONE_OF_BOTH = "given either as price or as implied_volatility"


@dataclass(frozen=True, kw_only=True, eq=False)
class Quotes:
    """One quote per row: columns of equal length, or one value for all.

    A quote is a `price` or an `implied_volatility` (Black and Scholes), the other one is filled in. `bid` and `ask`
    are in the same unit as the quote. Raises `DomainError` with the row of the first quote that is no option's price:
    below its discounted intrinsic value, above its bound, or with a bid above its ask.
    """

    option_type: Any
    spot: Any
    strike: Any
    time_to_expiry: Any
    rate: Any
    dividend_yield: Any
    price: Any = None
    implied_volatility: Any = None
    bid: Any = None
    ask: Any = None
    _is_price: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if (self.price is None) == (self.implied_volatility is None):
            raise DomainError("quotes", "both" if self.price is not None else "neither", _ONE_OF_BOTH)
        if (self.bid is None) != (self.ask is None):
            missing = "bid" if self.bid is None else "ask"
            raise DomainError(missing, "none", "given, where the other side of the quote is")
        quoted, domain = ("price", PRICE) if self.price is not None else ("implied_volatility", VOLATILITY)
        self._set("_is_price", quoted == "price")
        quoted_names = (quoted, "bid", "ask") if self.bid is not None else (quoted,)
        domains = [*_CONTRACT, *(domain._replace(name=name) for name in quoted_names)]
        columns = quote_columns(*((each, getattr(self, each.name)) for each in domains))
        types = np.atleast_1d(np.asarray(self.option_type))
        if types.ndim > 1 or types.size not in {1, columns[0].size}:
            rows = f"one value, or {columns[0].size} rows like the other columns"
            raise DomainError("option_type", f"shape {types.shape}", rows)
        self._set("option_type", np.broadcast_to(broadcast(types, columns[0]).signs, columns[0].size))
        for each, values in zip(domains, columns, strict=True):
            self._set(each.name, values)
        if self.bid is not None and (crossed := np.flatnonzero(self.ask < self.bid)).size:
            row = int(crossed[0])
            raise DomainError("ask", float(self.ask[row]), _ABOVE_BID, row)
        if quoted == "price":
            self._set("implied_volatility", black_scholes.implied_volatility(self.price, *self.contract))
        else:
            self._set("price", black_scholes.price(*self.contract, self.implied_volatility))

    @classmethod
    def from_forwards(
        cls,
        option_type: ArrayLike,
        forward: ArrayLike,
        discount_factor: ArrayLike,
        strike: ArrayLike,
        time_to_expiry: ArrayLike,
        **quoted: ArrayLike,
    ) -> Self:
        """Quotes on a forward of their own expiry: the spot is its discounted value, and the dividend yield 0."""
        forwards, factors, times = quote_columns(
            (POSITIVE_FORWARD, forward), (_DISCOUNT_FACTOR, discount_factor), (POSITIVE_TIME, time_to_expiry)
        )
        return cls(
            option_type=option_type,
            spot=forwards * factors,
            strike=strike,
            time_to_expiry=times,
            rate=-np.log(factors) / times,
            dividend_yield=0.0,
            **quoted,
        )

    def __len__(self) -> int:
        return int(self.price.size)

    @property
    def contract(self) -> tuple[NDArray[np.int8], Floats, Floats, Floats, Floats, Floats]:
        """The leading arguments of every `price`."""
        return (self.option_type, self.spot, self.strike, self.time_to_expiry, self.rate, self.dividend_yield)

    @cached_property
    def forward(self) -> Floats:
        return np.asarray(self.spot * np.exp((self.rate - self.dividend_yield) * self.time_to_expiry))

    @cached_property
    def vega(self) -> Floats:
        """At the quoted volatility, but not below a hundredth of the largest; raises where no price has any."""
        vega = np.asarray(black_scholes.greeks(*self.contract, self.implied_volatility).vega)
        if not np.any(vega > _LEAST_LARGEST_VEGA * self.spot):
            raise DomainError("quotes", "intrinsic values alone", "some whose price moves with volatility")
        return np.asarray(np.maximum(vega, _LEAST_VEGA * vega.max()))

    @cached_property
    def spread(self) -> Floats:
        """Ask less bid, as a price; raises where there are none."""
        if self.bid is None:
            raise DomainError("weights", "bid_ask", "another one where quotes have no bid and ask")
        return np.asarray((self.ask - self.bid) * (1.0 if self._is_price else self.vega))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
