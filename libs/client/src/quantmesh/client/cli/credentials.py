"""Commands about what lets somebody in: API keys and sessions."""

from datetime import datetime
from typing import Annotated

import typer

from quantmesh.client.cli import tables
from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.login import signed_in
from quantmesh.client.cli.values import in_utc

console = plain_console()
keys = typer.Typer(help="API keys, for programs.", no_args_is_help=True)
sessions = typer.Typer(help="Sessions: where one is logged in.", no_args_is_help=True)


@keys.command("list")
def list_keys() -> None:
    """Each by its prefix, with what it may do."""
    made = tables.table("id", "name", "prefix", "created", "last used", "expires", "scopes")
    made.columns[-1].no_wrap = False
    with signed_in() as client:
        for key in client.auth.api_keys():
            used, expires = tables.minute(key.last_used_at), tables.minute(key.expires_at)
            made.add_row(
                key.id, key.name, key.prefix, tables.minute(key.created_at), used, expires, " ".join(key.scopes)
            )
    console.print(made)


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    scopes: Annotated[
        list[str] | None,
        typer.Argument(help="What it may do, such as portfolio:read; all but account:manage where none is given."),
    ] = None,
    expires_at: Annotated[datetime | None, typer.Option(help="In UTC; it lasts where none is given.")] = None,
) -> None:
    """Make one and print it: this once."""
    with signed_in() as client:
        typer.echo(client.auth.create_api_key(name, scopes or (), expires_at=in_utc(expires_at)).key)


@keys.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="KEY", help="Its id, as `list` shows it.")]) -> None:
    """Let nobody in with it any more."""
    with signed_in() as client:
        client.auth.revoke_api_key(key_id)
    console.print("Revoked.")


@sessions.command("list")
def list_sessions() -> None:
    """Each with its device and address."""
    made = tables.table("id", "address", "created", "last used", "", "device")
    made.columns[-1].no_wrap = False
    with signed_in() as client:
        for each in client.auth.sessions():
            created, used = tables.minute(each.created_at), tables.minute(each.last_used_at)
            made.add_row(each.id, each.ip_address, created, used, "this one" if each.current else "", each.user_agent)
    console.print(made)


@sessions.command()
def end(session: Annotated[str, typer.Argument(metavar="SESSION", help="Its id, as `list` shows it.")]) -> None:
    """Log a device out."""
    with signed_in() as client:
        client.auth.end_session(session)
    console.print("Ended.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(keys, name="keys")
    app.add_typer(sessions, name="sessions")
