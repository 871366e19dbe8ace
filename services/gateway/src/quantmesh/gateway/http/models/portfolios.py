"""Portfolios, transactions and what follows from them: bodies, queries and answers."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from quantmesh.gateway.http.models.base import (
    BitemporalQuery,
    Body,
    CurrencyCode,
    Cursor,
    DecimalText,
    MoneyShown,
    Name,
    Query,
    Shown,
    ShownDate,
    ShownInstant,
    Symbol,
)

LotMethod = Literal["average", "fifo", "lifo", "specific"]


class CreatePortfolioBody(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Growth", "base_currency": "USD"}]})

    name: Name
    base_currency: CurrencyCode = "USD"
    lot_method: LotMethod = "average"
    margin_enabled: Annotated[bool, Field(description="Cash and units may be less than zero, within a rule.")] = False


class UpdatePortfolioBody(Body):
    """What is absent stays."""

    name: Name | None = None
    margin_enabled: bool | None = None


class PositionsQuery(BitemporalQuery):
    lots: Annotated[bool, Field(description="With each position's lots; very many are listed by /lots alone.")] = False


class LotsQuery(BitemporalQuery):
    symbol: Symbol
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Cursor = ""


class LedgerQuery(BitemporalQuery):
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Cursor = ""


class EventsQuery(Query):
    after: Annotated[int, Field(ge=0, le=2**62, description="The last `seq` that the client has.")] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class PortfolioShown(Shown):
    id: str
    name: str
    base_currency: str
    lot_method: LotMethod
    margin_enabled: bool
    version: int
    created_at: ShownInstant


class PortfoliosShown(Shown):
    data: list[PortfolioShown]
    next_cursor: str | None


class LotShown(Shown):
    """What is left of what one transaction opened; a short one has negative numbers. By average cost there is one."""

    transaction_id: str | None
    opened_at: ShownInstant
    quantity: DecimalText
    cost: DecimalText
    unrealized_pnl: DecimalText | None


class LotsShown(Shown):
    """The oldest first; all pages are true at the same `seq`."""

    data: list[LotShown]
    next_cursor: str | None
    seq: Annotated[int, Field(description="The number of the account's log that this is true at.")]


class PositionShown(Shown):
    symbol: str
    quantity: DecimalText
    average_cost: DecimalText | None
    currency: str
    price: DecimalText | None
    market_value: DecimalText | None
    unrealized_pnl: DecimalText | None
    realized_pnl: DecimalText | None
    priced_at: ShownInstant | None
    stale: bool
    base_value: Annotated[DecimalText | None, Field(description="The market value in the portfolio's base currency.")]
    lots: Annotated[list[LotShown], Field(description="Where they were asked for.")]


class TranslationRateShown(Shown):
    """`rate` of the base currency for one unit of `currency`, published on `date`; stale after five days."""

    currency: str
    rate: DecimalText
    date: ShownDate
    stale: bool


class PositionsShown(Shown):
    data: list[PositionShown]
    cash: list[MoneyShown]
    cash_value: Annotated[MoneyShown | None, Field(description="All cash in the base currency.")]
    total_value: MoneyShown | None
    exchange_rates: list[TranslationRateShown]
    as_of: ShownInstant | None
    known_at: ShownInstant | None
    seq: Annotated[int, Field(description="The number of the account's log that this is true at.")]


class PostingShown(Shown):
    account: str
    commodity: str
    amount: DecimalText


class LedgerEntryShown(Shown):
    id: str
    transaction_id: str
    description: str
    executed_at: ShownInstant
    recorded_at: ShownInstant
    postings: list[PostingShown]


class LedgerShown(Shown):
    data: list[LedgerEntryShown]
    next_cursor: str | None


class EventShown(Shown):
    channel: str
    seq: int
    time: ShownInstant
    type: str
    data: dict[str, object]


class EventsShown(Shown):
    data: list[EventShown]
    last_seq: int
    next_cursor: Annotated[str | None, Field(description="The `after` of the next page.")]
