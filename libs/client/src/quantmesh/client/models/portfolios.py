"""Portfolios, their transactions, and what follows from them."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from quantmesh.client.models.base import Answer, Money, Page
from quantmesh.client.models.orders import Order, Reservation


class Portfolio(Answer):
    id: str
    name: str
    base_currency: str
    lot_method: str
    margin_enabled: bool = False
    version: int
    created_at: datetime


class Lot(Answer):
    """What is left of what one transaction opened; a short one has negative numbers."""

    transaction_id: str | None
    opened_at: datetime
    quantity: Decimal
    cost: Decimal
    unrealized_pnl: Decimal | None


class LotPage(Page[Lot]):
    """`seq` is the number of the account's log that every page is true at."""

    seq: int


class Position(Answer):
    symbol: str
    quantity: Decimal
    average_cost: Decimal | None
    currency: str
    price: Decimal | None
    market_value: Decimal | None
    unrealized_pnl: Decimal | None
    realized_pnl: Decimal | None
    priced_at: datetime | None
    stale: bool
    base_value: Decimal | None = None
    lots: tuple[Lot, ...] = ()


class TranslationRate(Answer):
    """`rate` of the base currency for one unit of `currency`, published on `date`."""

    currency: str
    rate: Decimal
    date: date
    stale: bool


class Positions(Answer):
    """`cash_value`, `total_value` and each position's `base_value` are in the portfolio's base currency."""

    data: tuple[Position, ...]
    cash: tuple[Money, ...]
    cash_value: Money | None
    total_value: Money | None
    exchange_rates: tuple[TranslationRate, ...]
    as_of: datetime | None
    known_at: datetime | None
    seq: int


class LotChoice(Answer):
    """So many units of the lot that a transaction opened."""

    transaction_id: str
    quantity: Decimal


class OptionTerms(Answer):
    underlying: str
    option_type: str
    strike: Decimal
    expiry: datetime
    multiplier: Decimal
    exercise: str
    settlement: str


class Transaction(Answer):
    """`id` is None for a row of a dry run, which recorded nothing; `option` holds the terms it was posted under."""

    id: str | None
    portfolio_id: str
    type: str
    symbol: str | None
    quantity: Decimal | None
    price: Decimal | None
    amount: Decimal | None
    fee: Decimal | None
    currency: str
    split_ratio: Decimal | None = None
    note: str | None = None
    side: str | None = None
    lots: tuple[LotChoice, ...] = ()
    option: OptionTerms | None = None
    executed_at: datetime
    recorded_at: datetime | None
    cash_effect: Money | None
    order_id: str | None
    import_id: str | None = None
    position: Position | None = None
    cash: Money | None = None
    reverses: str | None = None
    reversed_by: str | None = None


class ReversedImport(Answer):
    import_id: str
    reversed_rows: int
    first_seq: int
    last_seq: int


class RejectedRow(Answer):
    """`column` counts from 1."""

    line: int
    column: int | None
    field: str | None
    reason: str


class DuplicateRow(Answer):
    """A row that an earlier import recorded."""

    line: int
    transaction_id: str


class Import(Answer):
    """The counts are of all rows, of which a long file's report lists some."""

    dry_run: bool
    import_id: str | None
    accepted_rows: int
    rejected_rows: int
    duplicate_rows: int
    accepted: tuple[Transaction, ...]
    rejected: tuple[RejectedRow, ...]
    duplicates: tuple[DuplicateRow, ...]


class PerformancePoint(Answer):
    """`period_return` is since the point before."""

    date: date
    value: Decimal
    net_flow: Decimal
    time_weighted_return: float
    drawdown: float
    period_return: float


class MoneyWeighted(Answer):
    """`internal_rates` are all that solve; with none the modified Dietz return stands in."""

    period_return: float | None
    annualized_return: float | None
    internal_rates: tuple[float, ...]
    modified_dietz_return: float | None


class BenchmarkComparison(Answer):
    symbol: str
    time_weighted_return: float
    alpha: float | None
    beta: float | None


class PerformanceCashFlow(Answer):
    """`remaining` is the share of the period that lay ahead of it."""

    date: date
    amount: Decimal
    remaining: float


class PerformanceContribution(Answer):
    """`symbol` is None for cash, account fees and rounding."""

    symbol: str | None
    gain: Decimal
    contribution: float


class PerformanceExplanation(Answer):
    """start + deposits - withdrawals + income - fees + realized + unrealized + currency gains = end."""

    start_value: Money
    deposits: Money
    withdrawals: Money
    income: Money
    fees: Money
    realized_gains: Money
    unrealized_gains: Money
    currency_gains: Money
    end_value: Money
    cash_flows: tuple[PerformanceCashFlow, ...]
    contributions: tuple[PerformanceContribution, ...]


class Performance(Answer):
    """Returns, volatility and drawdowns are fractions; `volatility` and `annualized_return` per year."""

    time_weighted_return: float
    annualized_return: float | None
    simple_return: float | None
    money_weighted: MoneyWeighted
    volatility: float | None
    sharpe_ratio: float | None
    sortino_ratio: float | None
    maximum_drawdown: float
    maximum_drawdown_start: date | None
    maximum_drawdown_end: date | None
    benchmark: BenchmarkComparison | None
    explanation: PerformanceExplanation | None
    value: Money | None
    series: tuple[PerformancePoint, ...]
    next_cursor: str | None
    exchange_rates: tuple[TranslationRate, ...]
    as_of: datetime | None
    known_at: datetime | None = None


class Posting(Answer):
    account: str
    commodity: str
    amount: Decimal


class LedgerEntry(Answer):
    id: str
    transaction_id: str
    description: str
    executed_at: datetime
    recorded_at: datetime
    postings: tuple[Posting, ...]


class AccountEvent(Answer):
    """`seq` counts up by one in the account's log, the same on the stream."""

    channel: str
    seq: int
    time: datetime
    type: str
    data: Mapping[str, object]


class AccountEvents(Page[AccountEvent]):
    """`next_cursor` is the `after` of the next page."""

    last_seq: int


class Held(Answer):
    symbol: str
    quantity: Decimal


class Snapshot(Answer):
    """The account as it was after event `seq` of its log."""

    portfolio_id: str
    seq: int
    cash: tuple[Money, ...]
    reserved: tuple[Reservation, ...]
    positions: tuple[Held, ...]
    open_orders: tuple[Order, ...]
