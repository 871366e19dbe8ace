"""How answers look in a terminal."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from quantmesh.client.models.base import Money
from quantmesh.client.models.events import DeadLetter
from quantmesh.client.models.optimization import Allocation, Optimization
from quantmesh.client.models.options import OptionPrice
from quantmesh.client.models.portfolios import (
    Import,
    LedgerEntry,
    Performance,
    PerformanceContribution,
    PerformanceExplanation,
    Portfolio,
    Positions,
)
from quantmesh.client.models.predictions import Forecast
from quantmesh.client.models.risk import ValueAtRisk


def money(value: Decimal | float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def minute(instant: datetime | None) -> str:
    return "-" if instant is None else f"{instant:%Y-%m-%d %H:%M}"


class _Whole(Table):
    """As wide as what its columns hold, but for those that wrap: half of an id is none, half an amount another one."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*cells, **options)
        for column, cell in zip(self.columns, cells, strict=False):
            if column.no_wrap:
                column.min_width = max(column.min_width or 0, cell_len(str(cell)))


def table(*columns: str, right: Iterable[str] = ()) -> Table:
    """Columns named in `right` hold numbers."""
    made = _Whole(box=None, header_style="bold", padding=(0, 2, 0, 0))
    aligned = set(right)
    for column in columns:
        justify: Any = "right" if column in aligned else "left"
        made.add_column(column, justify=justify, no_wrap=True, min_width=cell_len(column))
    return made


def facts(*rows: tuple[str, str]) -> Table:
    made = Table.grid(padding=(0, 2))
    for name, value in rows:
        made.add_row(Text(name, style="dim"), value)
    return made


def portfolios_table(portfolios: Iterable[Portfolio]) -> Table:
    made = table("id", "name", "currency", "created")
    for portfolio in portfolios:
        made.add_row(portfolio.id, portfolio.name, portfolio.base_currency, minute(portfolio.created_at))
    return made


def import_table(result: Import) -> Table:
    """The refused rows, each with its line in the file."""
    made = table("line", "field", "reason", right=["line"])
    made.columns[2].no_wrap = False
    for row in result.rejected:
        made.add_row(str(row.line), row.field or "", row.reason)
    return made


def positions_table(positions: Positions, rows: int | None = None) -> Table:
    """The largest first; `rows` bounds how many are shown."""
    columns = ("quantity", "average cost", "price", "value", "unrealized", "realized")
    made = table("symbol", *columns, right=columns)
    ordered = sorted(positions.data, key=lambda position: position.market_value or Decimal(0), reverse=True)
    for position in ordered[:rows]:
        made.add_row(
            position.symbol,
            f"{position.quantity.normalize():,f}",
            money(position.average_cost),
            money(position.price) + (" stale" if position.stale else ""),
            money(position.market_value),
            _signed(position.unrealized_pnl),
            _signed(position.realized_pnl),
        )
    if rows is not None and len(ordered) > rows:
        made.add_row(Text(f"and {len(ordered) - rows} more", style="dim"))
    return made


def cash_text(cash: Sequence[Money]) -> str:
    return ", ".join(f"{money(each.amount)} {each.currency}" for each in cash) or "none"


def performance_facts(performance: Performance) -> Table:
    worst = percent(performance.maximum_drawdown)
    if performance.maximum_drawdown_start and performance.maximum_drawdown_end:
        worst += f" ({performance.maximum_drawdown_start} to {performance.maximum_drawdown_end})"
    compared = performance.benchmark
    rows = [
        ("time-weighted return", percent(performance.time_weighted_return)),
        ("per year", percent(performance.annualized_return)),
        ("money-weighted return", percent(performance.money_weighted.period_return)),
        ("simple return", percent(performance.simple_return)),
        ("volatility per year", percent(performance.volatility)),
        ("Sharpe ratio", number(performance.sharpe_ratio)),
        ("Sortino ratio", number(performance.sortino_ratio)),
        ("maximum drawdown", worst),
    ]
    if compared is not None:
        rows += [
            (compared.symbol, percent(compared.time_weighted_return)),
            ("alpha per year", percent(compared.alpha)),
            ("beta", number(compared.beta)),
        ]
    return facts(*rows)


def explanation_facts(explained: PerformanceExplanation) -> Table:
    """From the start's value to the end's, line by line."""
    return facts(
        ("start", cash_text([explained.start_value])),
        ("+ deposits", cash_text([explained.deposits])),
        ("- withdrawals", cash_text([explained.withdrawals])),
        ("+ income", cash_text([explained.income])),
        ("- fees", cash_text([explained.fees])),
        ("+ realized gains", cash_text([explained.realized_gains])),
        ("+ unrealized gains", cash_text([explained.unrealized_gains])),
        ("+ currency gains", cash_text([explained.currency_gains])),
        ("= end", cash_text([explained.end_value])),
    )


def contributions_table(contributions: Iterable[PerformanceContribution]) -> Table:
    made = table("holding", "gain", "contribution", right=["gain", "contribution"])
    for item in contributions:
        made.add_row(item.symbol or "cash", f"{item.gain:,f}", percent(item.contribution))
    return made


def ledger_table(entries: Iterable[LedgerEntry]) -> Table:
    made = table("executed", "description", "account", "commodity", "amount", right=["amount"])
    for entry in entries:
        for index, posting in enumerate(entry.postings):
            first = index == 0
            made.add_row(
                f"{entry.executed_at:%Y-%m-%d}" if first else "",
                entry.description if first else "",
                posting.account,
                posting.commodity,
                f"{posting.amount:,f}",
            )
    return made


def price_table(price: OptionPrice) -> Table:
    made = table("price", "delta", "gamma", "vega", "theta", "rho", right=["price"])
    greeks = price.greeks
    values = (greeks.delta, greeks.gamma, greeks.vega, greeks.theta, greeks.rho) if greeks else ()
    made.add_row(number(price.price), *(number(value, 6) for value in values))
    return made


def risk_table(results: Iterable[ValueAtRisk]) -> Table:
    columns = ("value at risk", "of value", "expected shortfall")
    made = table("method", *columns, "", right=columns)
    for result in results:
        made.add_row(
            result.method,
            money(result.value_at_risk),
            percent(result.value_at_risk / result.market_value if result.market_value else None),
            money(result.expected_shortfall),
            f"{100 * result.confidence:.6g}%, {result.horizon_days} d, {result.currency}",
        )
    return made


def optimization_table(result: Optimization) -> Table:
    """The optimum beside what it is compared with."""
    columns = ("return", "volatility", "Sharpe")
    made = table("weights", *columns, "largest", right=columns)
    for name, allocation in ((result.objective, result), *sorted(result.benchmarks.items())):
        made.add_row(
            name.replace("_", " "),
            percent(allocation.expected_return),
            percent(allocation.volatility),
            number(allocation.sharpe, 2),
            _largest(allocation),
        )
    return made


def forecast_facts(forecast: Forecast) -> Table:
    rows = [
        ("model", f"{forecast.model} {forecast.model_version}"),
        ("last price", money(forecast.last_price)),
        ("forecast", f"{money(forecast.predicted_price)} ({forecast.direction})"),
        ("interval", f"{money(forecast.confidence_lower)} to {money(forecast.confidence_upper)}"),
        ("confidence", percent(forecast.confidence_score)),
    ]
    skill = forecast.skill
    if skill is not None:
        verdict = "beats the naive forecast" if skill.beats_naive else "does not beat the naive forecast"
        rows += [
            ("walk-forward error", f"{number(skill.rmse, 6)}, naive {number(skill.naive_rmse, 6)}: it {verdict}"),
            ("direction right", f"{percent(skill.directional_accuracy)} of {skill.windows} windows"),
            (
                "interval holds",
                f"{percent(skill.interval_coverage)} of the time, {percent(skill.interval_confidence)} intended",
            ),
        ]
    if forecast.note:
        rows.append(("note", forecast.note))
    return facts(*rows)


def _largest(allocation: Allocation, count: int = 3) -> str:
    """Of equal ones the first by name, whichever the answer began with."""
    ordered = sorted(allocation.weights.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{symbol} {weight:.0%}" for symbol, weight in ordered[:count])


def _signed(value: Decimal | None) -> Text:
    if value is None:
        return Text("-")
    return Text(f"{value:+,.2f}", style="red" if value < 0 else "green")


def dead_letters_table(letters: Iterable[DeadLetter]) -> Table:
    made = table("number", "died", "consumer", "event", "error", right=["number"])
    made.columns[4].no_wrap = False
    for letter in letters:
        died = "" if letter.died_at is None else f"{letter.died_at:%Y-%m-%d %H:%M:%S}"
        made.add_row(str(letter.number), died, letter.consumer, letter.event_id or "not an event", letter.error)
    return made
