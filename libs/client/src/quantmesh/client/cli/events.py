"""Commands for what consumers gave up."""

from typing import Annotated

import typer

from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.login import signed_in
from quantmesh.client.cli.tables import dead_letters_table

console = plain_console()
events = typer.Typer(help="Events that a consumer gave up, for operators.", no_args_is_help=True)


@events.command()
def letters() -> None:
    """The dead letters, oldest first, each with its error."""
    with signed_in() as client:
        found = [*client.events.dead_letters()]
    if found:
        console.print(dead_letters_table(found))
    else:
        console.print("There are no dead letters.")


@events.command()
def replay(
    numbers: Annotated[list[int] | None, typer.Argument(help="As `letters` lists them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Each that can be replayed.")] = False,
) -> None:
    """Let consumers handle again what they gave up; each event has its effect once, however often it is replayed."""
    if bool(numbers) == everything:
        raise typer.BadParameter("name the letters to replay, or give --all", param_hint="NUMBERS")
    with signed_in() as client:
        chosen = numbers or [letter.number for letter in client.events.dead_letters() if letter.event_id]
        for number in chosen:
            letter = client.events.replay(number)
            console.print(f"{number}: {letter.event_id} goes to {letter.consumer} again.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(events, name="events")
