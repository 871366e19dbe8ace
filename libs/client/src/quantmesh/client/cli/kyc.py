"""Commands for the verification of users."""

from typing import Annotated

import typer

from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.login import signed_in
from quantmesh.client.models.compliance import Kyc

console = plain_console()
kyc = typer.Typer(help="Verification (KYC); deciding is for compliance and operators.", no_args_is_help=True)
UserId = Annotated[str, typer.Argument(help="The user's id, as `whoami` shows it.")]


@kyc.command()
def show(user: Annotated[str | None, typer.Argument(help="A user's id; else your own.")] = None) -> None:
    """A status, and of a user its history too."""
    with signed_in() as client:
        _print(client.compliance.kyc(user))
        for decision in client.compliance.history(user) if user is not None else ():
            told = f"{decision.version:>4}  {decision.status:<10}  {decision.reason} (by {decision.decided_by})"
            console.print(told, highlight=False)


@kyc.command()
def submit() -> None:
    """Ask to be looked at."""
    with signed_in() as client:
        _print(client.compliance.submit())


@kyc.command()
def decide(
    user: UserId,
    status: Annotated[str, typer.Argument(help="unverified, pending, approved, rejected or suspended.")],
    reason: Annotated[str, typer.Argument(help="Why; kept for ever.")],
) -> None:
    """Set a user's status."""
    with signed_in() as client:
        _print(client.compliance.decide(user, status, reason))


def _print(found: Kyc) -> None:
    reason = f": {found.reason}" if found.reason else ""
    console.print(f"{found.status}{reason}", highlight=False)


def add_to(app: typer.Typer) -> None:
    app.add_typer(kyc, name="kyc")
