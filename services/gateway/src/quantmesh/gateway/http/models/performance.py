"""Performance: the query, the figures, and what explains them."""

from typing import Annotated, Literal

from pydantic import Field

from quantmesh.gateway.http.models.base import (
    BitemporalQuery,
    Cursor,
    Day,
    DecimalText,
    MoneyShown,
    Shown,
    ShownDate,
    ShownInstant,
    Symbol,
)
from quantmesh.gateway.http.models.portfolios import TranslationRateShown

Frequency = Literal["daily", "weekly", "monthly"]


class PerformanceQuery(BitemporalQuery):
    start: Day | None = None
    end: Day | None = None
    explain: Annotated[
        bool, Field(description="With the table and the cash flows that explain the returns, and contributions.")
    ] = False
    benchmark: Annotated[Symbol | None, Field(description="A symbol to compare with, such as SPY.")] = None
    frequency: Annotated[Frequency, Field(description="Of the series; all figures are of daily values.")] = "daily"
    risk_free_rate: Annotated[float, Field(gt=-1.0, lt=1.0, description="Per year, as a fraction.")] = 0.0
    limit: Annotated[int, Field(ge=1, le=10_000, description="Points of the series on a page, at most one a day.")] = (
        5_000
    )
    cursor: Cursor = ""


class PerformancePointShown(Shown):
    """`period_return` is since the point before, `time_weighted_return` since the start."""

    date: ShownDate
    value: DecimalText
    net_flow: DecimalText
    time_weighted_return: float
    drawdown: float
    period_return: float


class MoneyWeightedShown(Shown):
    """Of the whole period; `annualized_return` is the same for under a year.

    `internal_rates` are all rates that solve. With none the modified Dietz return stands in; of several, the one
    nearest to that was taken.
    """

    period_return: float | None
    annualized_return: float | None
    internal_rates: list[float]
    modified_dietz_return: float | None


class BenchmarkComparisonShown(Shown):
    """Over the same period, in the benchmark's own currency; `alpha` is Jensen's, per year."""

    symbol: str
    time_weighted_return: float
    alpha: float | None
    beta: float | None


class PerformanceCashFlowShown(Shown):
    """`amount` is positive where it came in; `remaining` is the share of the period that lay ahead of it."""

    date: ShownDate
    amount: DecimalText
    remaining: float


class PerformanceContributionShown(Shown):
    """Of an instrument; of cash, account fees and rounding where `symbol` is null."""

    symbol: str | None
    gain: DecimalText
    contribution: float


class PerformanceExplanationShown(Shown):
    """start + deposits - withdrawals + income - fees + realized + unrealized + currency gains = end, to the cent.

    Contributions add up to the gain, and to the time-weighted return: a day's gain over what was invested that day,
    times the growth before it.
    """

    start_value: MoneyShown
    deposits: MoneyShown
    withdrawals: MoneyShown
    income: MoneyShown
    fees: MoneyShown
    realized_gains: MoneyShown
    unrealized_gains: MoneyShown
    currency_gains: MoneyShown
    end_value: MoneyShown
    cash_flows: list[PerformanceCashFlowShown]
    contributions: list[PerformanceContributionShown]


class PerformanceShown(Shown):
    """Returns as fractions; null where a figure is not defined."""

    time_weighted_return: float
    annualized_return: float | None
    simple_return: float | None
    money_weighted: MoneyWeightedShown
    volatility: float | None
    sharpe_ratio: float | None
    sortino_ratio: float | None
    maximum_drawdown: float
    maximum_drawdown_start: ShownDate | None
    maximum_drawdown_end: ShownDate | None
    benchmark: BenchmarkComparisonShown | None
    explanation: PerformanceExplanationShown | None
    value: MoneyShown | None
    series: list[PerformancePointShown]
    next_cursor: Annotated[str | None, Field(description="Of the series; all else is of the whole period.")]
    exchange_rates: list[TranslationRateShown]
    as_of: ShownInstant | None
    known_at: ShownInstant | None
