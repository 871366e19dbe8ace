"""Commands about orders."""

import json
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import typer

from quantmesh.client.api.orders import NewOrder
from quantmesh.client.cli import tables
from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.login import signed_in
from quantmesh.client.cli.values import PortfolioId, decimal
from quantmesh.client.models.orders import Order, OrderPreview

console = plain_console()
orders = typer.Typer(help="Orders: placed, previewed, changed, cancelled.", no_args_is_help=True)

OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="Its id, as `list` shows it.")]
Quantity = Annotated[Decimal, typer.Argument(parser=decimal, help="How many, as a decimal.")]
Symbol = Annotated[str, typer.Argument()]
LimitPrice = Annotated[Decimal | None, typer.Option("--limit", parser=decimal, help="The worst price to trade at.")]
StopPrice = Annotated[Decimal | None, typer.Option("--stop", parser=decimal, help="The price from which on it trades.")]


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class TimeInForce(StrEnum):
    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


@orders.command()
def place(
    portfolio: PortfolioId,
    side: Annotated[Side, typer.Argument()],
    quantity: Quantity,
    symbol: Symbol,
    limit: LimitPrice = None,
    stop: StopPrice = None,
    tif: Annotated[TimeInForce, typer.Option(help="How long it may wait.")] = TimeInForce.DAY,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would do; place nothing.")] = False,
) -> None:
    """A market order, or with prices one that waits for them."""
    wanted = NewOrder(
        portfolio_id=portfolio,
        symbol=symbol.upper(),
        side=side,
        quantity=quantity,
        limit_price=limit,
        stop_price=stop,
        time_in_force=tif,
    )
    with signed_in() as client:
        if dry_run:
            _show_preview(client.orders.preview(wanted))
        else:
            show(client.orders.place(wanted))


@orders.command("list")
def list_orders(
    portfolio: PortfolioId,
    status: Annotated[str, typer.Option(help="open, or one of the states that an order is in.")] = "open",
) -> None:
    """Those of a portfolio, the newest first."""
    made = tables.table("order", "filled", "status", "what", right=["filled"])
    made.columns[-1].no_wrap = False
    with signed_in() as client:
        for order in client.orders.all(portfolio, status=status):
            made.add_row(
                order.id, f"{(order.filled_quantity or Decimal(0)).normalize():f}", order.status, _worded(order)
            )
    console.print(made)


@orders.command("show")
def show_order(order_id: OrderId) -> None:
    """How it stands, and each part that was filled."""
    with signed_in() as client:
        order = client.orders.get(order_id)
    show(order)
    for fill in order.fills:
        console.print(f"  {tables.minute(fill.executed_at)}  {fill.quantity:f} at {fill.price:f}", highlight=False)


@orders.command()
def replace(
    order_id: OrderId,
    quantity: Annotated[
        Decimal | None, typer.Option(parser=decimal, help="The whole one, what is filled included.")
    ] = None,
    limit: LimitPrice = None,
    stop: StopPrice = None,
) -> None:
    """Another quantity or price of an order that is open."""
    with signed_in() as client:
        order = client.orders.get(order_id)
        show(client.orders.replace(order, quantity=quantity, limit_price=limit, stop_price=stop))


@orders.command()
def cancel(order_id: OrderId) -> None:
    """What is not filled yet."""
    with signed_in() as client:
        show(client.orders.cancel(order_id))


def trade(portfolio: PortfolioId, side: Annotated[Side, typer.Argument()], quantity: Quantity, symbol: Symbol) -> None:
    """A market order, filled now or not at all."""
    with signed_in() as client:
        show(client.orders.trade(portfolio, symbol.upper(), side, quantity))


def show(order: Order) -> None:
    if order.filled_quantity:
        price = tables.money(order.average_fill_price)
        console.print(f"{order.status}: {order.side} {order.filled_quantity:f} {order.symbol} at {price}")
    else:
        console.print(f"{order.status}: {_worded(order)}")
    if order.reason:
        console.print(order.reason)
    if order.transaction_id:
        console.print(f"Transaction {order.transaction_id}; `quantmesh proof get` proves it.")
    if order.status in {"accepted", "partially_filled"}:
        console.print(f"Order {order.id} waits.")


def _show_preview(preview: OrderPreview) -> None:
    order = preview.order
    console.print(
        tables.facts(
            ("would be", " ".join(part for part in (order.status, order.reason) if part) or "-"),
            ("price", tables.money(preview.estimated_price)),
            ("fee", tables.cash_text([preview.estimated_fee])),
            ("reserved", f"{preview.reservation.amount:f} {preview.reservation.commodity}"),
            ("cash after", tables.cash_text([preview.cash_after])),
            ("position after", f"{preview.position_after:f}"),
        )
    )
    if preview.denial is not None:
        console.print(f"Denied: {preview.denial.detail}")
        if preview.denial.suggestion is not None:
            console.print(f"What would pass: {json.dumps(preview.denial.suggestion)}")


def _worded(order: Order) -> str:
    prices = [
        f"{name} {price:f}"
        for name, price in (("stop", order.stop_price), ("limit", order.limit_price))
        if price is not None
    ]
    return " ".join([order.side, f"{order.quantity:f}", order.symbol, *prices, order.time_in_force])


def add_to(app: typer.Typer) -> None:
    app.command()(trade)
    app.add_typer(orders, name="orders")
