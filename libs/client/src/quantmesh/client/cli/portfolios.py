"""Commands about portfolios."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from quantmesh.client.cli import tables
from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.login import signed_in
from quantmesh.client.cli.progress import progress_bar

console = plain_console()
PortfolioId = Annotated[str, typer.Argument(metavar="PORTFOLIO", help="Its id, as `quantmesh portfolios` shows it.")]
AsOf = Annotated[datetime | None, typer.Option(help="As it was then, in UTC.")]


def portfolios() -> None:
    """The portfolios that one has."""
    with signed_in() as client:
        console.print(tables.portfolios_table(client.portfolios.all()))


def create(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    currency: Annotated[str, typer.Option(help="What it is valued in.")] = "USD",
) -> None:
    """Open a portfolio."""
    with signed_in() as client:
        typer.echo(client.portfolios.create(name, currency).id)


def import_csv(
    portfolio: PortfolioId,
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="type,symbol,quantity,price,amount,fee,...")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be refused; record nothing.")] = False,
) -> None:
    """Import transactions from CSV; each refused row is shown with its line and reason."""
    with signed_in() as client, progress_bar(console) as show:
        result = client.portfolios.import_csv(portfolio, file.read(), dry_run=dry_run, on_progress=show)
    console.print(f"{result.accepted_rows} rows {'would be' if dry_run else 'were'} recorded.")
    if result.duplicate_rows:
        console.print(f"{result.duplicate_rows} rows were recorded by an earlier import.")
    if result.rejected:
        console.print(f"{result.rejected_rows} rows are refused:")
        console.print(tables.import_table(result))


def positions(portfolio: PortfolioId, as_of: AsOf = None) -> None:
    """What is held and what it is worth."""
    with signed_in() as client:
        result = client.portfolios.positions(portfolio, _in_utc(as_of))
    console.print(tables.positions_table(result))
    console.print(tables.facts(("cash", tables.cash_text(result.cash)), ("total", _total(result.total_value))))
    for rate in result.exchange_rates:
        console.print(f"1 {rate.currency} is {rate.rate:.6f} since {rate.date}{' (stale)' if rate.stale else ''}")


def performance(
    portfolio: PortfolioId,
    as_of: AsOf = None,
    explain: Annotated[bool, typer.Option("--explain", help="Where the change in value came from.")] = False,
    benchmark: Annotated[str, typer.Option(metavar="SYMBOL", help="Compare with it.")] = "",
) -> None:
    """Returns, risk, and on request what explains them."""
    with signed_in() as client:
        result = client.portfolios.performance(portfolio, _in_utc(as_of), explain=explain, benchmark=benchmark or None)
    console.print(tables.performance_facts(result))
    if result.explanation is not None:
        console.print(tables.explanation_facts(result.explanation))
        console.print(tables.contributions_table(result.explanation.contributions))


def _in_utc(as_of: datetime | None) -> datetime | None:
    return as_of and as_of.replace(tzinfo=UTC)


def _total(value: object) -> str:
    return "-" if value is None else tables.cash_text([value])  # type: ignore[list-item]  # Money, checked above


def add_to(app: typer.Typer) -> None:
    for command in (portfolios, create, positions, performance):
        app.command()(command)
    app.command("import")(import_csv)
