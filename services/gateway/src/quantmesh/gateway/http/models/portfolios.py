"""Portfolios, transactions and what follows from them: bodies, queries and answers."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from quantmesh.gateway.http.models.base import (
    BitemporalQuery,
    Body,
    CurrencyCode,
    Cursor,
    Day,
    DecimalText,
    Id,
    Instant,
    MoneyShown,
    Name,
    Note,
    PageQuery,
    PositiveDecimal,
    Query,
    Shown,
    ShownDate,
    ShownInstant,
    Symbol,
)

LotMethod = Literal["average", "fifo"]
TransactionType = Literal["deposit", "withdrawal", "buy", "sell", "dividend", "interest", "fee", "split"]


class CreatePortfolioBody(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Growth", "base_currency": "USD"}]})

    name: Name
    base_currency: CurrencyCode = "USD"
    lot_method: LotMethod = "average"


class UpdatePortfolioBody(Body):
    name: Name


class TransactionBody(Body):
    """Which fields are needed depends on the type; a violation says so."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "deposit",
                    "amount": "100000.00",
                    "currency": "USD",
                    "executed_at": "2020-01-02T15:00:00Z",
                },
                {
                    "type": "buy",
                    "symbol": "AAPL",
                    "quantity": "10",
                    "price": "73.35",
                    "currency": "USD",
                    "fee": "1.00",
                    "executed_at": "2020-01-02T21:00:00Z",
                },
            ]
        }
    )

    type: TransactionType
    symbol: Symbol | None = None
    quantity: PositiveDecimal | None = None
    price: PositiveDecimal | None = None
    amount: PositiveDecimal | None = None
    fee: DecimalText | None = None
    currency: Annotated[
        CurrencyCode | None,
        Field(description="Where absent: the instrument's, or without one the portfolio's base currency."),
    ] = None
    executed_at: Instant
    note: Note = ""
    split_ratio: Annotated[PositiveDecimal | None, Field(description="New shares for one old share.")] = None


class ImportQuery(Query):
    dry_run: bool = False


class TransactionsQuery(PageQuery):
    import_id: Annotated[Id | None, Field(description="Those of this import alone.")] = None


class LedgerQuery(BitemporalQuery):
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Cursor = ""


class PerformanceQuery(BitemporalQuery):
    start: Day | None = None
    end: Day | None = None
    limit: Annotated[int, Field(ge=1, le=10_000, description="Points of the series on a page, at most one a day.")] = (
        5_000
    )
    cursor: Cursor = ""


class EventsQuery(Query):
    after: Annotated[int, Field(ge=0, le=2**62, description="The last `seq` that the client has.")] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class PortfolioShown(Shown):
    id: str
    name: str
    base_currency: str
    lot_method: LotMethod
    version: int
    created_at: ShownInstant


class PortfoliosShown(Shown):
    data: list[PortfolioShown]
    next_cursor: str | None


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


class TranslationRateShown(Shown):
    """`rate` of the base currency for one unit of `currency`, published on `date`; stale after five days."""

    currency: str
    rate: DecimalText
    date: ShownDate
    stale: bool


class TransactionShown(Shown):
    id: str | None
    portfolio_id: str
    type: TransactionType
    symbol: str | None
    quantity: DecimalText | None
    price: DecimalText | None
    amount: DecimalText | None
    fee: DecimalText | None
    currency: str
    split_ratio: DecimalText | None
    note: str | None
    executed_at: ShownInstant
    recorded_at: ShownInstant | None
    cash_effect: MoneyShown | None
    order_id: str | None
    import_id: str | None


class RecordedTransactionShown(TransactionShown):
    position: PositionShown | None
    cash: MoneyShown | None


class TransactionsShown(Shown):
    data: list[TransactionShown]
    next_cursor: str | None


class RejectedRowShown(Shown):
    """`column` counts from 1; null for the row as a whole and for a column that the file lacks."""

    line: int
    column: int | None
    field: str | None
    reason: str


class DuplicateRowShown(Shown):
    """A row that an earlier import recorded as `transaction_id`."""

    line: int
    transaction_id: str


class ImportShown(Shown):
    """Also the result of the job that a long file is.

    That lists at most 1,000 accepted and duplicate rows each (all of an import are at `/transactions?import_id=`) and
    10,000 rejections; the counts are of all.
    """

    dry_run: bool
    import_id: str | None
    accepted_rows: int
    rejected_rows: int
    duplicate_rows: int
    accepted: list[TransactionShown]
    rejected: list[RejectedRowShown]
    duplicates: list[DuplicateRowShown]


class PositionsShown(Shown):
    data: list[PositionShown]
    cash: list[MoneyShown]
    cash_value: Annotated[MoneyShown | None, Field(description="All cash in the base currency.")]
    total_value: MoneyShown | None
    exchange_rates: list[TranslationRateShown]
    as_of: ShownInstant | None
    known_at: ShownInstant | None
    seq: Annotated[int, Field(description="The number of the account's log that this is true at.")]


class PerformancePointShown(Shown):
    date: ShownDate
    value: DecimalText
    net_flow: DecimalText
    time_weighted_return: float
    drawdown: float


class PerformanceShown(Shown):
    time_weighted_return: float
    annualized_return: float | None
    volatility: float | None
    maximum_drawdown: float
    maximum_drawdown_start: ShownDate | None
    maximum_drawdown_end: ShownDate | None
    value: MoneyShown | None
    series: list[PerformancePointShown]
    next_cursor: Annotated[str | None, Field(description="Of the series; all else is of the whole period.")]
    exchange_rates: list[TranslationRateShown]
    as_of: ShownInstant | None
    known_at: ShownInstant | None


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


CSV = "text/csv"
CSV_BODY = {
    "required": True,
    "content": {
        CSV: {
            "schema": {"type": "string"},
            "example": "type,symbol,quantity,price,amount,fee,currency,executed_at\n"
            "deposit,,,,100000.00,,USD,2020-01-02T15:00:00Z\n"
            "buy,AAPL,10,73.35,,1.00,USD,2020-01-02T21:00:00Z\n",
        }
    },
}
