"""A surface of implied volatilities without arbitrage, from what the market says (PRC-5, NEW-5)."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np

from quantmesh.pricing.core.errors import InvalidArgument
from quantmesh.pricing.core.market_quotes import Floats, MarketQuotes, errors_at_their_quote
from quantmesh.quant import black_76, black_scholes, forwards, svi
from quantmesh.quant.errors import DomainError

Parametrization = Literal["svi", "ssvi"]
# Slices that cross their neighbours are kept apart at a cost that grows with the square of their number: so many are
# fitted within the 15 seconds that a caller waits, and nobody can stop a fit that has begun.
_MOST_EXPIRIES: dict[Parametrization, int] = {"svi": 25, "ssvi": 100}


@dataclass(frozen=True, slots=True)
class FittedSurface:
    fit: svi.Fit
    discount_factors: Floats | None
    """Per expiry, where put-call parity told the forwards."""

    def rate_at(self, time_to_expiry: Floats, given: float) -> Floats:
        """What discounts a payment: the rate given, or that of the discount factors, between expiries by a line."""
        if self.discount_factors is None:
            return np.full(time_to_expiry.shape, given)
        expiries = self.fit.surface.time_to_expiry
        return np.interp(time_to_expiry, expiries, -np.log(self.discount_factors) / expiries)


def fit_surface(market: MarketQuotes, *, forwards_from_parity: bool, parametrization: Parametrization) -> FittedSurface:
    """Raises InvalidArgument with the quote that is meant."""
    if not market.sign.size:
        raise InvalidArgument("quotes", "none", "one quote or more")
    expiries, most = np.unique(market.time_to_expiry).size, _MOST_EXPIRIES[parametrization]
    if expiries > most:
        raise InvalidArgument("quotes", f"{expiries} expiries", f"of at most {most} expiries for {parametrization}")
    with (
        errors_at_their_quote({"volatility": "implied_volatility"}),
        _forwards_as_given(market, from_parity=forwards_from_parity),
    ):
        if forwards_from_parity:
            found = _parity(market)
            expiry = np.searchsorted(found.time_to_expiry, market.time_to_expiry)
            forward = found.forward[expiry]
            rate = -np.log(found.discount_factor[expiry]) / market.time_to_expiry
            discount_factors: Floats | None = found.discount_factor
            volatility = black_76.implied_volatility(
                market.values, market.sign, forward, market.strike, market.time_to_expiry, rate
            )
        else:
            with np.errstate(over="ignore"):
                forward = market.spot * np.exp((market.rate - market.dividend_yield) * market.time_to_expiry)
            discount_factors = None
            volatility = (
                black_scholes.implied_volatility(market.values, *market.contract)
                if market.are_prices
                else market.values
            )
        volatilities = np.asarray(volatility)
        fit = svi.fit(
            market.strike,
            market.time_to_expiry,
            volatilities,
            forward,
            spread=market.volatility_spread(volatilities),
            spot=market.spot,
            parametrization=parametrization,
        )
    return FittedSurface(fit, discount_factors)


@contextmanager
def _forwards_as_given(market: MarketQuotes, *, from_parity: bool) -> Iterator[None]:
    """What is wrong with a forward, or with a rate of parity, said of what it came from: a request has neither."""
    try:
        yield
    except DomainError as error:
        if error.argument not in ({"forward", "rate"} if from_parity else {"forward"}):
            raise
        needed = f"such that the {error.argument}, here {error.value:g}, is {error.requirement}"
        if from_parity:
            raise InvalidArgument("quotes", "these, by put-call parity", needed) from error
        field = "spot"
        if 0.0 < market.spot < math.inf:
            field = max(("rate", "dividend_yield"), key=lambda name: abs(getattr(market, name)))
        raise InvalidArgument(field, getattr(market, field), needed) from error


def _parity(market: MarketQuotes) -> forwards.Forwards:
    """Of the strikes and expiries that have both a call and a put."""
    if not market.are_prices:
        raise InvalidArgument("forwards", "parity", "carry where quotes are implied volatilities")
    sides: dict[tuple[float, float], dict[int, int]] = {}
    for row, place in enumerate(zip(market.time_to_expiry.tolist(), market.strike.tolist(), strict=True)):
        sides.setdefault(place, {})[int(market.sign[row])] = row
    pairs = [(rows[1], rows[-1]) for rows in sides.values() if len(rows) == 2]
    expiries = {float(market.time_to_expiry[call]) for call, _ in pairs}
    for row, time in enumerate(market.time_to_expiry.tolist()):
        if time not in expiries:
            raise InvalidArgument(
                f"quotes[{row}].time_to_expiry", time, "of an expiry with strikes that have a call and a put"
            )
    calls, puts = map(list, zip(*pairs, strict=True))
    spread: Floats | float = 1.0
    if market.bid is not None and market.ask is not None:
        width = market.ask - market.bid
        spread = np.maximum(width[calls] + width[puts], 1e-12)
    names = {"call": "price", "put": "price", "call - put": "quotes"}
    with errors_at_their_quote(names, {"call": calls, "put": puts, "strike": calls, "time_to_expiry": calls}):
        return forwards.from_put_call_parity(
            market.strike[calls], market.time_to_expiry[calls], market.values[calls], market.values[puts], spread=spread
        )
