"""Commands about transactions: what is recorded in a portfolio, and taken back."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import typer

from quantmesh.client.cli import tables
from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.login import signed_in
from quantmesh.client.cli.progress import progress_bar
from quantmesh.client.cli.values import PortfolioId, decimal, in_utc, upper
from quantmesh.client.encoding import given
from quantmesh.client.models.portfolios import Transaction

console = plain_console()
transactions = typer.Typer(help="Transactions: listed, recorded, taken back.", no_args_is_help=True)

Amount = Annotated[Decimal, typer.Argument(parser=decimal, help="How much, as a decimal.")]
Currency = Annotated[
    str | None, typer.Option(callback=upper, help="The instrument's or the base currency where none is given.")
]
At = Annotated[datetime | None, typer.Option(help="When it happened, in UTC of market time; now by default.")]
Note = Annotated[str, typer.Option(help="For people to read.")]


class Type(StrEnum):
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    BUY = "buy"
    SELL = "sell"
    DIVIDEND = "dividend"
    INTEREST = "interest"
    FEE = "fee"
    SPLIT = "split"
    OPTION_OPEN = "option_open"
    OPTION_CLOSE = "option_close"
    OPTION_EXERCISE = "option_exercise"
    OPTION_ASSIGNMENT = "option_assignment"
    OPTION_EXPIRY = "option_expiry"


@transactions.command("list")
def list_transactions(
    portfolio: PortfolioId,
    import_id: Annotated[str | None, typer.Option("--import", metavar="ID", help="Those of one import.")] = None,
) -> None:
    """All of a portfolio's, or those of one import."""
    numbers = ("quantity", "price", "cash")
    made = tables.table("transaction", "executed", "type", "symbol", *numbers, right=numbers)
    with signed_in() as client:
        for each in client.portfolios.transactions(portfolio, import_id=import_id):
            quantity = "" if each.quantity is None else f"{each.quantity.normalize():,f}"
            price = "" if each.price is None else f"{each.price.normalize():,f}"
            cash = "" if each.cash_effect is None else tables.cash_text([each.cash_effect])
            executed = tables.minute(each.executed_at)
            made.add_row(each.id, executed, _kind(each), each.symbol or "", quantity, price, cash)
    console.print(made)


@transactions.command()
def record(
    portfolio: PortfolioId,
    kind: Annotated[Type, typer.Argument(metavar="TYPE", help="What happened.")],
    symbol: Annotated[str | None, typer.Option(callback=upper, help="What was traded, or what paid.")] = None,
    quantity: Annotated[Decimal | None, typer.Option(parser=decimal)] = None,
    price: Annotated[Decimal | None, typer.Option(parser=decimal)] = None,
    amount: Annotated[Decimal | None, typer.Option(parser=decimal, help="Of cash.")] = None,
    fee: Annotated[Decimal | None, typer.Option(parser=decimal)] = None,
    currency: Currency = None,
    split_ratio: Annotated[Decimal | None, typer.Option(parser=decimal, help="New shares for one old.")] = None,
    side: Annotated[str | None, typer.Option(help="Of an option: long or short.")] = None,
    at: At = None,
    note: Note = "",
) -> None:
    """One that happened elsewhere; the API says which fields its type needs."""
    _record(
        portfolio,
        kind,
        at,
        symbol=symbol,
        quantity=quantity,
        price=price,
        amount=amount,
        fee=fee,
        currency=currency,
        split_ratio=split_ratio,
        side=side,
        note=note,
    )


def deposit(portfolio: PortfolioId, amount: Amount, currency: Currency = None, at: At = None, note: Note = "") -> None:
    """Pay cash in."""
    _record(portfolio, Type.DEPOSIT, at, amount=amount, currency=currency, note=note)


def withdraw(portfolio: PortfolioId, amount: Amount, currency: Currency = None, at: At = None, note: Note = "") -> None:
    """Take cash out."""
    _record(portfolio, Type.WITHDRAWAL, at, amount=amount, currency=currency, note=note)


@transactions.command()
def reverse(
    portfolio: PortfolioId,
    transaction: Annotated[str, typer.Argument(metavar="TRANSACTION", help="Its id, as `list` shows it.")],
    note: Note = "",
) -> None:
    """Take one back, dated where it is; what an order traded stays."""
    with signed_in() as client:
        _show(client.portfolios.reverse(portfolio, transaction, note))


@transactions.command("reverse-import")
def reverse_import(
    portfolio: PortfolioId,
    import_id: Annotated[str, typer.Argument(metavar="IMPORT", help="Its id, as `quantmesh import` shows it.")],
    note: Note = "",
) -> None:
    """Take back all that an import recorded; its file may then come again."""
    with signed_in() as client, progress_bar(console) as show:
        result = client.portfolios.reverse_import(portfolio, import_id, note, on_progress=show)
    console.print(f"{result.reversed_rows} rows were taken back.", highlight=False)


def _record(portfolio: str, kind: Type, at: datetime | None, **fields: Decimal | str | None) -> None:
    with signed_in() as client:
        executed_at = in_utc(at) or client.market.clock().market_time
        recorded = client.portfolios.record(portfolio, given(type=kind, executed_at=executed_at, **fields))
    _show(recorded)


def _kind(transaction: Transaction) -> str:
    return f"{transaction.type}, taken back" if transaction.reversed_by else transaction.type


def _show(recorded: Transaction) -> None:
    console.print(f"Recorded {recorded.type} {recorded.id}.", highlight=False)
    shown = [("cash", tables.cash_text([recorded.cash]))] if recorded.cash is not None else []
    if recorded.position is not None:
        shown.append((recorded.position.symbol, f"{recorded.position.quantity.normalize():,f}"))
    console.print(tables.facts(*shown))


def add_to(app: typer.Typer) -> None:
    app.add_typer(transactions, name="transactions")
    app.command()(deposit)
    app.command()(withdraw)
