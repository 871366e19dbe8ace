"""Commands about options."""

from enum import StrEnum
from typing import Annotated

import typer

from quantmesh.client.cli import tables
from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.login import signed_in

console = plain_console()


class OptionType(StrEnum):
    CALL = "call"
    PUT = "put"


class Style(StrEnum):
    EUROPEAN = "european"
    AMERICAN = "american"


def price(
    option_type: Annotated[OptionType, typer.Argument()],
    spot: Annotated[float, typer.Option()],
    strike: Annotated[float, typer.Option()],
    years: Annotated[float, typer.Option(help="To expiry.")],
    volatility: Annotated[float, typer.Option(help="Per year, 0.2 for 20 %.")],
    rate: Annotated[float, typer.Option(help="Per year, continuously compounded.")] = 0.0,
    dividend_yield: Annotated[float, typer.Option()] = 0.0,
    style: Annotated[Style, typer.Option()] = Style.EUROPEAN,
) -> None:
    """Price an option, with its Greeks."""
    contract = {
        "option_type": option_type.value,
        "style": style.value,
        "spot": spot,
        "strike": strike,
        "time_to_expiry": years,
        "volatility": volatility,
        "rate": rate,
        "dividend_yield": dividend_yield,
    }
    with signed_in() as client:
        answer = client.options.price(contract)
    console.print(tables.price_table(answer))
    console.print(f"{answer.model}, {answer.engine}; quote {answer.quote_id}", style="dim")


def chain(
    underlying: Annotated[str, typer.Argument()],
    rows: Annotated[int, typer.Option(min=1, help="How many to show.")] = 40,
) -> None:
    """The option chain of an underlying."""
    with signed_in() as client:
        answer = client.market.option_chain(underlying.upper())
    console.print(f"{answer.underlying} at {tables.money(answer.spot)}, {len(answer.data)} quotes, {answer.source}")
    columns = ("strike", "forward", "bid volatility", "ask volatility")
    made = tables.table("symbol", "type", "expiry", *columns, right=columns)
    for quote in answer.data[:rows]:
        made.add_row(
            quote.symbol,
            quote.option_type,
            f"{quote.expiry:%Y-%m-%d}" if quote.expiry else f"{quote.time_to_expiry:.3f} y",
            tables.number(quote.strike, 2),
            tables.number(quote.forward, 2),
            tables.percent(quote.bid_implied_volatility),
            tables.percent(quote.ask_implied_volatility),
        )
    console.print(made)


def add_to(app: typer.Typer) -> None:
    app.command()(price)
    app.command()(chain)
