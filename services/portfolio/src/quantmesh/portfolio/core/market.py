"""What the market tells this service: instruments, quotes, closes, exchange rates, and its time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from quantmesh.portfolio.core.held_days import Days, ordinals
from quantmesh.portfolio.core.option_terms import OptionTerms
from quantmesh.portfolio.core.scaled import Scaled, scaled


class Adjustment(StrEnum):
    """What a price series already contains, so that it is not posted a second time."""

    RAW = "raw"
    SPLIT = "split"
    TOTAL_RETURN = "total_return"


@dataclass(frozen=True, slots=True)
class Asset:
    symbol: str
    currency: str
    adjustment: Adjustment
    tick_size: Decimal
    lot_size: Decimal
    tradable: bool
    option: OptionTerms | None = None


@dataclass(frozen=True, slots=True)
class MarketClock:
    """`detail` says why the market is closed, where it says so; without a session nobody knows when one closes."""

    time: datetime
    open: bool
    detail: str = ""
    session_close: datetime | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """`bid` and `ask` are None where the source has a last price alone, their sizes where they are good for any.

    `received_at` is the system time at which a live feed sent it: it never runs back, whatever market time does.
    """

    symbol: str
    price: Decimal
    bid: Decimal | None
    ask: Decimal | None
    time: datetime
    stale: bool
    currency: str
    bid_size: Decimal | None = None
    ask_size: Decimal | None = None
    received_at: datetime | None = None

    @property
    def is_good(self) -> bool:
        """Fresh, with both sides, and not crossed: nothing trades on any other."""
        return not self.stale and self.bid is not None and self.ask is not None and 0 < self.bid <= self.ask

    @property
    def quoted_at(self) -> datetime:
        """Which of two is newer goes by this: a replay that is rewound runs market time back."""
        return self.received_at or self.time


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """What one unit of a currency is in another; published on `day`, `stale` where that is more than five days ago."""

    rate: Decimal
    day: date
    stale: bool


@dataclass(frozen=True, slots=True)
class Closes:
    """Of one instrument; `days` ascend."""

    days: Days
    prices: Scaled


# By date, in order of date: begins with the rate that holds on the first day asked for.
RateHistory = Mapping[date, Decimal]


def closes_of(prices: Mapping[date, Decimal]) -> Closes:
    days = sorted(prices)
    return Closes(ordinals(days), scaled([prices[day] for day in days]))
