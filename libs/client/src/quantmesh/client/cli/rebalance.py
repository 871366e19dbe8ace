"""Commands that bring a portfolio to target weights."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated

import typer
from rich.table import Table

from quantmesh.client.cli import tables
from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.login import signed_in
from quantmesh.client.cli.orders import show
from quantmesh.client.cli.values import PortfolioId, decimal
from quantmesh.client.client import Client
from quantmesh.client.models.rebalance import PlannedTrade, RebalancePlan

console = plain_console()
rebalance = typer.Typer(help="From target weights to orders.", no_args_is_help=True)

Weights = Annotated[
    list[str], typer.Argument(metavar="SYMBOL=WEIGHT", help="Such as AAPL=0.6; what is held and not named is sold.")
]
CashBuffer = Annotated[Decimal | None, typer.Option(parser=decimal, help="What stays in cash.")]
MinimumTrade = Annotated[Decimal | None, typer.Option(parser=decimal, help="Smaller trades are left out.")]
MaximumGain = Annotated[Decimal | None, typer.Option(parser=decimal, help="What sales together may realise.")]


@rebalance.command()
def review(
    portfolio: PortfolioId,
    weights: Weights,
    cash_buffer: CashBuffer = None,
    minimum_trade: MinimumTrade = None,
    maximum_gain: MaximumGain = None,
) -> None:
    """The orders that lead there, and what they cost; nothing is placed."""
    targets = _targets(weights)
    with signed_in() as client:
        _planned(client, portfolio, targets, cash_buffer, minimum_trade, maximum_gain)


@rebalance.command()
def place(
    portfolio: PortfolioId,
    weights: Weights,
    cash_buffer: CashBuffer = None,
    minimum_trade: MinimumTrade = None,
    maximum_gain: MaximumGain = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Review them, and place them as one basket: all are filled, or none is placed."""
    targets = _targets(weights)
    with signed_in() as client:
        plan = _planned(client, portfolio, targets, cash_buffer, minimum_trade, maximum_gain)
        if not plan.orders:
            return
        if not yes:
            typer.confirm("Place these orders?", abort=True)
        for order in client.rebalance.execute(portfolio, plan.orders).orders:
            show(order)


def _planned(
    client: Client,
    portfolio: str,
    targets: dict[str, float],
    cash_buffer: Decimal | None,
    minimum_trade: Decimal | None,
    maximum_gain: Decimal | None,
) -> RebalancePlan:
    plan = client.rebalance.plan(
        portfolio,
        targets,
        cash_buffer=cash_buffer,
        minimum_trade=minimum_trade,
        maximum_realized_gain=maximum_gain,
    )
    if plan.orders:
        console.print(_table(plan.orders))
    else:
        console.print("Nothing is to be traded.")
    console.print(
        tables.facts(
            ("drift", f"{tables.percent(plan.drift)}, then {tables.percent(plan.drift_after)}"),
            ("fees", f"{tables.money(plan.fees)} {plan.base_currency}"),
            ("realized gain", f"{tables.money(plan.realized_gain)} {plan.base_currency}"),
            ("cash after", f"{tables.money(plan.cash_after)} {plan.base_currency}"),
        )
    )
    for short in plan.cash_by_currency:
        if short.shortfall:
            console.print(f"{tables.money(short.shortfall)} {short.currency} are lacking.")
    return plan


def _table(trades: Iterable[PlannedTrade]) -> Table:
    numbers = ("quantity", "price", "fee", "weight", "target", "after")
    made = tables.table("side", "symbol", *numbers, right=numbers)
    for trade in trades:
        amounts = (f"{trade.quantity.normalize():,f}", tables.money(trade.estimated_price), tables.money(trade.fee))
        shares = (tables.percent(share) for share in (trade.weight, trade.target_weight, trade.weight_after))
        made.add_row(trade.side, trade.symbol, *amounts, *shares)
    return made


def _targets(weights: list[str]) -> dict[str, float]:
    try:
        targets = {symbol.upper(): float(weight) for symbol, weight in (text.split("=") for text in weights)}
    except ValueError:
        raise typer.BadParameter("give each as AAPL=0.6", param_hint="SYMBOL=WEIGHT") from None
    if len(targets) < len(weights):
        raise typer.BadParameter("give each symbol once", param_hint="SYMBOL=WEIGHT")
    return targets


def add_to(app: typer.Typer) -> None:
    app.add_typer(rebalance, name="rebalance")
