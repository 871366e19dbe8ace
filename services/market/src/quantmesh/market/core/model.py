"""The values of market data: frozen, and validated when made. Every time is an aware datetime of market time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from quantmesh.market.core.errors import InvalidSymbol

_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9-]{0,31}", re.ASCII)


def checked_symbol(text: str, field_name: str = "symbol") -> str:
    """The symbol itself; raises InvalidSymbol."""
    if not _SYMBOL.fullmatch(text):
        raise InvalidSymbol(text, field_name)
    return text


class AssetClass(StrEnum):
    STOCK = "stock"
    CRYPTO = "crypto"
    INDEX = "index"
    FUND = "fund"
    OPTION = "option"


class Adjustment(StrEnum):
    RAW = "raw"
    SPLIT = "split"
    TOTAL_RETURN = "total_return"


class Interval(StrEnum):
    DAY = "1d"
    WEEK = "1w"
    MONTH = "1mo"


@dataclass(frozen=True, slots=True)
class AssetListing:
    """What a provider says of an asset, before the store knows it."""

    symbol: str
    name: str
    asset_class: AssetClass
    currency: str
    calendar: str
    tick_size: Decimal
    lot_size: Decimal
    adjustment: Adjustment
    tradable: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked_symbol(self.symbol)
        if self.tick_size <= 0 or self.lot_size <= 0:
            msg = f"{self.symbol}: tick size {self.tick_size} and lot size {self.lot_size} must be positive"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Asset:
    """`series` is the small number under which its bars and ticks are stored."""

    id: UUID
    series: int
    listing: AssetListing

    @property
    def symbol(self) -> str:
        return self.listing.symbol


@dataclass(frozen=True, slots=True)
class Bar:
    """One session. `time` is its close, the instant from which the bar is known; prices are positive."""

    day: date
    time: datetime
    close: Decimal
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    volume: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that was not taken: where it stood, what was wrong with which field, and what was found there."""

    line: int
    field: str
    reason: str
    symbol: str = ""
    found: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """`bid`, `ask` and the units they are good for are there for a live feed alone.

    `received_at` is system time, all else market time.
    """

    symbol: str
    price: Decimal
    time: datetime
    source: str
    currency: str
    bid: Decimal | None = None
    ask: Decimal | None = None
    bid_size: Decimal | None = None
    ask_size: Decimal | None = None
    stale: bool = False
    received_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.price <= 0 or (self.bid is not None and self.ask is not None and self.bid > self.ask):
            msg = f"{self.symbol}: price {self.price}, bid {self.bid} and ask {self.ask} make no quote"
            raise ValueError(msg)
