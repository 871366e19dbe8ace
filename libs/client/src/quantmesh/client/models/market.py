"""Assets, quotes, bars and option chains."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from quantmesh.client.models.base import Answer


class Asset(Answer):
    id: str
    symbol: str
    name: str
    asset_class: str
    currency: str
    calendar: str
    tick_size: Decimal | None
    lot_size: Decimal | None
    adjustment: str | None
    tradable: bool
    metadata: Mapping[str, object]


class Quote(Answer):
    symbol: str
    price: Decimal
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    time: datetime | None
    source: str
    stale: bool
    currency: str
    received_at: datetime | None


class ExchangeRate(Answer):
    """`rate` of the quote currency for one unit of the base, published on `date`."""

    base: str
    quote: str
    rate: Decimal
    date: date
    stale: bool


class ExchangeRates(Answer):
    """`missing`: quote currencies without a rate by that date."""

    data: tuple[ExchangeRate, ...]
    missing: tuple[str, ...] = ()
    source: str


class Quotes(Answer):
    """`degraded`: the market service did not answer, and these are the last quotes known."""

    data: tuple[Quote, ...]
    missing: tuple[str, ...] = ()
    degraded: bool = False


class Bar(Answer):
    """`close` is in the units of the series' adjustment."""

    time: datetime
    date: date
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    close: Decimal
    volume: Decimal | None


class Bars(Answer):
    symbol: str
    interval: str
    adjustment: str | None
    source: str
    currency: str
    data: tuple[Bar, ...]
    next_cursor: str | None = None


class OptionQuote(Answer):
    """Volatilities per year as fractions, `time_to_expiry` in years."""

    symbol: str
    option_type: str
    strike: float
    expiry: datetime | None
    time_to_expiry: float
    bid_implied_volatility: float | None
    ask_implied_volatility: float | None
    forward: float
    discount_factor: float


class OptionChain(Answer):
    underlying: str
    time: datetime | None
    spot: float
    source: str
    data: tuple[OptionQuote, ...]


class Clock(Answer):
    market_time: datetime
    open: bool
    source: str
    last_session: date | None
    current_session: date | None
    session_close: datetime | None = None
    detail: str | None = None
    """Why the market is not open, and what to do."""
