"""Commands about risk, allocation and forecasts."""

from enum import StrEnum
from typing import Annotated

import typer

from quantmesh.client.cli import tables
from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.login import signed_in
from quantmesh.client.cli.progress import progress_bar
from quantmesh.client.cli.values import PortfolioId

console = plain_console()


class Method(StrEnum):
    HISTORICAL = "historical"
    PARAMETRIC = "parametric"


class Objective(StrEnum):
    MINIMUM_VARIANCE = "minimum_variance"
    MAXIMUM_SHARPE = "maximum_sharpe"
    RISK_PARITY = "risk_parity"


class Timeframe(StrEnum):
    DAY = "1d"
    WEEK = "1w"
    MONTH = "1m"
    QUARTER = "3m"


def var(
    portfolio: PortfolioId,
    method: Annotated[Method, typer.Option()] = Method.HISTORICAL,
    confidence: Annotated[float, typer.Option()] = 0.99,
    horizon_days: Annotated[int, typer.Option()] = 1,
) -> None:
    """Value at risk and expected shortfall, with what each position adds to them."""
    with signed_in() as client:
        result = client.risk.value_at_risk(
            portfolio, method=method.value, confidence=confidence, horizon_days=horizon_days
        )
    console.print(tables.risk_table([result]))
    columns = ("value", "value at risk", "expected shortfall")
    made = tables.table("symbol", *columns, right=columns)
    for part in sorted(result.contributions, key=lambda each: each.value_at_risk, reverse=True):
        made.add_row(
            part.symbol,
            tables.money(part.market_value),
            tables.money(part.value_at_risk),
            tables.money(part.expected_shortfall),
        )
    console.print(made)


def optimize(portfolio: PortfolioId, objective: Annotated[Objective, typer.Argument()]) -> None:
    """Better weights for what is held, and the orders that get there."""
    with signed_in() as client:
        result = client.portfolios.optimize(portfolio, objective.value)
    console.print(tables.optimization_table(result))
    for order in result.orders:
        console.print(f"  {order.side} {order.quantity:f} {order.symbol}")


def predict(
    symbol: Annotated[str, typer.Argument()], timeframe: Annotated[Timeframe, typer.Option()] = Timeframe.DAY
) -> None:
    """A forecast with its interval, and how good such forecasts were."""
    with signed_in() as client:
        asset_class = "crypto" if symbol.upper().endswith("-USD") else "stocks"
        console.print(tables.forecast_facts(client.predictions.forecast(symbol.upper(), timeframe.value, asset_class)))


def train(
    timeframe: Annotated[Timeframe, typer.Argument()] = Timeframe.DAY,
    seconds: Annotated[int, typer.Option(help="How long it may take.")] = 60,
) -> None:
    """Train the model of a timeframe; operators may."""
    with signed_in() as client, progress_bar(console) as show:
        client.jobs.wait(client.predictions.train(timeframe.value, max_seconds=seconds), show)


def add_to(app: typer.Typer) -> None:
    for command in (var, optimize, predict, train):
        app.command()(command)
