"""The ledger: its postings, and whether what is derived from them is what they say."""

import os
import subprocess
import sys
from typing import Annotated, Any

import typer
import typer.core

from quantmesh.client.cli import tables
from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.login import signed_in
from quantmesh.client.cli.values import AsOf, KnownAt, PortfolioId, in_utc

console = plain_console()


class _Ledger(typer.core.TyperGroup):
    """`quantmesh ledger PORTFOLIO` is short for `quantmesh ledger show PORTFOLIO`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        named = args and (args[0] in self.commands or args[0].startswith("-"))
        return super().resolve_command(ctx, args if named else ["show", *args])


ledger = typer.Typer(cls=_Ledger, no_args_is_help=True, help="The postings of a portfolio, and their verification.")


@ledger.command()
def show(portfolio: PortfolioId, as_of: AsOf = None, known_at: KnownAt = None) -> None:
    """Every posting, in double entry."""
    with signed_in() as client:
        entries = client.portfolios.ledger(portfolio, in_utc(as_of), in_utc(known_at))
        console.print(tables.ledger_table(entries))


@ledger.command()
def verify(portfolio: Annotated[str, typer.Option(metavar="ID", help="This portfolio alone.")] = "") -> None:
    """Rebuild what is derived from the journals and compare; for an operator beside the database.

    Ends with 1 where something differs, and names the first of it in each portfolio. It reads the database itself: the
    one that QUANTMESH_DATABASE_URL names, or the local mesh's.
    """
    here = "QUANTMESH_DATABASE_URL" in os.environ
    service = ["quantmesh.portfolio"] if here else ["quantmesh.local", "run", "portfolio"]
    program = [sys.executable, "-m", *service, "verify", *(["--portfolio", portfolio] if portfolio else [])]
    raise typer.Exit(subprocess.run(program, check=False).returncode)  # noqa: S603 - our own command


def add_to(app: typer.Typer) -> None:
    app.add_typer(ledger, name="ledger")
