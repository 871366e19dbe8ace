"""Commands about what there is, and what it costs."""

from typing import Annotated

import typer

from quantmesh.client.cli import tables
from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.login import signed_in
from quantmesh.client.cli.values import AsOf, in_utc

console = plain_console()


def assets(search: Annotated[str | None, typer.Argument(help="In a symbol or name.")] = None) -> None:
    """What has prices."""
    made = tables.table("symbol", "class", "currency", "name")
    with signed_in() as client:
        for asset in client.market.assets(search=search):
            made.add_row(asset.symbol, asset.asset_class, asset.currency, asset.name)
    console.print(made)


def quotes(symbols: Annotated[list[str], typer.Argument()], as_of: AsOf = None) -> None:
    """Last prices, with bid and ask."""
    with signed_in() as client:
        answer = client.market.quotes([symbol.upper() for symbol in symbols], in_utc(as_of))
    numbers = ("price", "bid", "ask")
    made = tables.table("symbol", *numbers, "currency", "time", "", right=numbers)
    for quote in answer.data:
        prices = (tables.money(price) for price in (quote.price, quote.bid, quote.ask))
        stale = "stale" if quote.stale else ""
        made.add_row(quote.symbol, *prices, quote.currency, tables.minute(quote.time), stale)
    console.print(made)
    if answer.missing:
        console.print(f"Without a quote: {', '.join(answer.missing)}.")


def add_to(app: typer.Typer) -> None:
    app.command()(assets)
    app.command()(quotes)
