"""Assets, quotes, bars, chains and the market's clock: queries and answers."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from quantmesh.gateway.http.models.base import (
    BitemporalQuery,
    CurrencyCode,
    Day,
    DecimalText,
    Instant,
    PageQuery,
    Query,
    Shown,
    ShownDate,
    ShownInstant,
)

AssetClass = Literal["stock", "crypto", "index", "fund", "option"]
Interval = Literal["1d", "1w", "1m"]
Adjustment = Literal["raw", "split", "total_return"]


class AssetsQuery(PageQuery):
    asset_class: AssetClass | None = None
    search: Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""


class QuotesQuery(BitemporalQuery):
    symbols: Annotated[
        str,
        StringConstraints(max_length=3300, pattern=r"^[A-Z0-9][A-Z0-9-]{0,31}(,[A-Z0-9][A-Z0-9-]{0,31}){0,99}$"),
        Field(description="Up to 100 symbols, separated by commas.", json_schema_extra={"examples": ["AAPL,MSFT"]}),
    ]


class BarsQuery(BitemporalQuery):
    interval: Interval = "1d"
    start: Day | None = None
    end: Day | None = None
    limit: Annotated[int, Field(ge=1, le=5000)] = 1000
    cursor: Annotated[str, StringConstraints(max_length=512, pattern=r"^[A-Za-z0-9_=.:|-]*$")] = ""


class ExchangeRatesQuery(Query):
    base: Annotated[
        CurrencyCode, Field(description="Of which one unit is priced.", json_schema_extra={"examples": ["USD"]})
    ]
    quote: Annotated[
        str,
        StringConstraints(max_length=399, pattern=r"^[A-Z]{3}(,[A-Z]{3}){0,99}$"),
        Field(
            description="In which it is priced: up to 100 codes, separated by commas.",
            json_schema_extra={"examples": ["EUR,GBP"]},
        ),
    ]
    date: Annotated[Day | None, Field(description="The last rate published by then; the last one where absent.")] = None
    as_of: Instant | None = None


class ChainQuery(Query):
    as_of: Instant | None = None


class AssetShown(Shown):
    id: str
    symbol: str
    name: str
    asset_class: AssetClass
    currency: str
    calendar: str
    tick_size: DecimalText | None
    lot_size: DecimalText | None
    adjustment: Adjustment | None
    tradable: bool
    metadata: dict[str, object]


class AssetsShown(Shown):
    data: list[AssetShown]
    next_cursor: str | None


class QuoteShown(Shown):
    symbol: str
    price: DecimalText
    bid: DecimalText | None
    ask: DecimalText | None
    bid_size: DecimalText | None
    ask_size: DecimalText | None
    time: ShownInstant | None
    source: str
    stale: bool
    currency: str
    received_at: ShownInstant | None


class QuotesShown(Shown):
    """`degraded` is there, and true, where the market service did not answer and these are the last quotes known."""

    data: list[QuoteShown]
    missing: list[str]
    degraded: bool = False


class ExchangeRateShown(Shown):
    """`rate` of the quote currency for one of the base; `stale`: published more than five days before the date."""

    base: str
    quote: str
    rate: DecimalText
    date: ShownDate
    stale: bool


class ExchangeRatesShown(Shown):
    """`missing`: quote currencies without a rate by that date."""

    data: list[ExchangeRateShown]
    missing: list[str]
    source: str


class BarShown(Shown):
    time: ShownInstant
    date: ShownDate
    open: DecimalText | None
    high: DecimalText | None
    low: DecimalText | None
    close: DecimalText
    volume: DecimalText | None


class BarsShown(Shown):
    symbol: str
    interval: Interval
    adjustment: Adjustment | None
    source: str
    currency: str
    data: list[BarShown]
    next_cursor: str | None


class OptionQuoteShown(Shown):
    symbol: str
    option_type: str
    strike: float
    expiry: ShownInstant | None
    time_to_expiry: float
    bid_implied_volatility: float | None
    ask_implied_volatility: float | None
    forward: float
    discount_factor: float


class ChainShown(Shown):
    underlying: str
    time: ShownInstant | None
    spot: float
    source: str
    data: list[OptionQuoteShown]


class ClockShown(Shown):
    market_time: ShownInstant
    open: bool
    source: str
    last_session: ShownDate | None
    current_session: ShownDate | None
    session_close: Annotated[ShownInstant | None, Field(description="When day orders expire.")]
    detail: Annotated[str | None, Field(description="Why the market is not open, and what to do.")]
