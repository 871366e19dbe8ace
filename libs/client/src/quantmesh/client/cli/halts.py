"""Commands for halts of trading."""

from typing import Annotated

import typer

from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.login import signed_in
from quantmesh.client.cli.values import upper
from quantmesh.client.models.halts import Halt

console = plain_console()
halts = typer.Typer(help="Halts of trading; imposing and lifting them is for operators.", no_args_is_help=True)


@halts.command("list")
def list_halts() -> None:
    """Those in force, the newest first."""
    with signed_in() as client:
        found = client.halts.in_force()
    for halt in found:
        console.print(f"{halt.id}  {_worded(halt)}", highlight=False)
    if not found:
        console.print("Nothing is halted.")


@halts.command()
def impose(
    cause: Annotated[str, typer.Argument(help="Why, for everyone to read.")],
    symbol: Annotated[str | None, typer.Option(callback=upper, help="One instrument; else the whole market.")] = None,
    kill: Annotated[bool, typer.Option("--kill", help="Refuse new orders and cancel open ones as well.")] = False,
) -> None:
    """Stop trading until the halt is lifted."""
    with signed_in() as client:
        halt = client.halts.impose(cause, symbol=symbol, kill_switch=kill)
    console.print(f"{halt.id}  {_worded(halt)}", highlight=False)


@halts.command()
def lift(halt_id: Annotated[str, typer.Argument(help="As `list` shows it.")]) -> None:
    """Let trading go on."""
    with signed_in() as client:
        halt = client.halts.lift(halt_id)
    console.print(f"Lifted: {_worded(halt)}", highlight=False)


def _worded(halt: Halt) -> str:
    kind = halt.kind.replace("_", " ")
    until = "" if halt.lifts_at is None else f" until {halt.lifts_at:%Y-%m-%d %H:%M} UTC of market time"
    return f"{halt.symbol or 'the whole market'} ({kind}){until}: {halt.cause}"


def add_to(app: typer.Typer) -> None:
    app.add_typer(halts, name="halts")
