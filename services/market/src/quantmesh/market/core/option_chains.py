"""Option chains: their quotes in this platform's terms, and the symbols of their contracts."""

import math
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from quantmesh.market.core.model import checked_symbol

_YEAR_SECONDS = 365 * 86_400
_STRIKE_MILLIS = 1_000


@dataclass(frozen=True, slots=True)
class OptionContract:
    """`option_type` is "call" or "put"; `expiry` is the instant of expiry."""

    symbol: str
    underlying: str
    option_type: str
    strike: Decimal
    expiry: datetime
    multiplier: Decimal
    exercise: str
    settlement: str


@dataclass(frozen=True, slots=True)
class ChainQuote:
    """Volatilities are per year of `time_to_expiry`, in years Actual/365 from the chain's time."""

    contract: OptionContract
    time_to_expiry: float
    bid_implied_volatility: float
    ask_implied_volatility: float
    forward: float
    discount_factor: float


@dataclass(frozen=True, slots=True)
class OptionChain:
    """A snapshot. `spot` is the nearest forward, discounted: the spot that the chain implies."""

    underlying: str
    time: datetime
    spot: float
    source: str
    quotes: list[ChainQuote]


def option_symbol(root: str, expiry: datetime, option_type: str, strike: Decimal) -> str:
    """OSI without padding, `SPY221216C00400000`; a strike of 100,000 or more takes a ninth digit."""
    millis = strike * _STRIKE_MILLIS
    if millis != millis.to_integral_value():
        msg = f"{root}: the strike {strike} is finer than a thousandth"
        raise ValueError(msg)
    return checked_symbol(f"{root}{expiry:%y%m%d}{option_type[0].upper()}{int(millis):08d}")


def years_actual_365(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() / _YEAR_SECONDS


def volatility_on_other_base(volatility: float, years_source: float, years: float) -> float:
    """The volatility with the same total variance when the time to expiry counts `years` instead of `years_source`."""
    if years_source <= 0 or years <= 0:
        msg = f"times to expiry must be positive, not {years_source} and {years}"
        raise ValueError(msg)
    return volatility * math.sqrt(years_source / years)
