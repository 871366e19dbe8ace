"""Commands about portfolios."""

from typing import Annotated

import typer

from quantmesh.client.cli import tables
from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.login import signed_in
from quantmesh.client.cli.progress import progress_bar
from quantmesh.client.cli.values import AsOf, KnownAt, PortfolioId, in_utc, upper
from quantmesh.client.models.base import Money

console = plain_console()
Name = Annotated[str, typer.Argument(help="What to call it.")]


def portfolios() -> None:
    """The portfolios that one has."""
    with signed_in() as client:
        console.print(tables.portfolios_table(client.portfolios.all()))


def create(
    name: Name,
    currency: Annotated[str, typer.Option(callback=upper, help="What it is valued in.")] = "USD",
) -> None:
    """Open a portfolio."""
    with signed_in() as client:
        typer.echo(client.portfolios.create(name, currency).id)


def rename(portfolio: PortfolioId, name: Name) -> None:
    """Call a portfolio something else."""
    with signed_in() as client:
        client.portfolios.update(portfolio, name=name)
    console.print(f"Renamed to {name}.", highlight=False)


def close(portfolio: PortfolioId) -> None:
    """Close a portfolio that holds nothing."""
    with signed_in() as client:
        client.portfolios.close(portfolio)
    console.print("Closed.")


def import_csv(
    portfolio: PortfolioId,
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="type,symbol,quantity,price,amount,fee,...")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be refused; record nothing.")] = False,
) -> None:
    """Import transactions from CSV; each refused row is shown with its line and reason."""
    with signed_in() as client, progress_bar(console) as show:
        result = client.portfolios.import_csv(portfolio, file.read(), dry_run=dry_run, on_progress=show)
    console.print(f"{result.accepted_rows} rows {'would be' if dry_run else 'were'} recorded.")
    if result.import_id is not None:
        console.print(f"Import {result.import_id}; `quantmesh transactions reverse-import` takes it back.")
    if result.duplicate_rows:
        console.print(f"{result.duplicate_rows} rows were recorded by an earlier import.")
    if result.rejected:
        console.print(f"{result.rejected_rows} rows are refused:")
        console.print(tables.import_table(result))


def positions(portfolio: PortfolioId, as_of: AsOf = None, known_at: KnownAt = None) -> None:
    """What is held and what it is worth."""
    with signed_in() as client:
        result = client.portfolios.positions(portfolio, in_utc(as_of), in_utc(known_at))
    console.print(tables.positions_table(result))
    console.print(tables.facts(("cash", tables.cash_text(result.cash)), ("total", _total(result.total_value))))
    for rate in result.exchange_rates:
        console.print(f"1 {rate.currency} is {rate.rate:.6f} since {rate.date}{' (stale)' if rate.stale else ''}")


def performance(
    portfolio: PortfolioId,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    explain: Annotated[bool, typer.Option("--explain", help="Where the change in value came from.")] = False,
    benchmark: Annotated[str, typer.Option(metavar="SYMBOL", callback=upper, help="Compare with it.")] = "",
) -> None:
    """Returns, risk, and on request what explains them."""
    with signed_in() as client:
        result = client.portfolios.performance(
            portfolio, in_utc(as_of), in_utc(known_at), explain=explain, benchmark=benchmark or None
        )
    console.print(tables.performance_facts(result))
    if result.explanation is not None:
        console.print(tables.explanation_facts(result.explanation))
        console.print(tables.contributions_table(result.explanation.contributions))


def log(
    portfolio: PortfolioId,
    after: Annotated[int, typer.Option(help="The number of the last event that is known.")] = 0,
    kind: Annotated[str, typer.Option("--type", help="Such as order, transaction or risk: alerts.")] = "",
) -> None:
    """What happened in an account, one JSON object a line as `watch` has them."""
    with signed_in() as client:
        for event in client.portfolios.events(portfolio, after):
            if event.type.startswith(kind):
                typer.echo(event.model_dump_json())


def _total(value: Money | None) -> str:
    return "-" if value is None else tables.cash_text([value])


def add_to(app: typer.Typer) -> None:
    for command in (portfolios, create, rename, close, positions, performance, log):
        app.command()(command)
    app.command("import")(import_csv)
