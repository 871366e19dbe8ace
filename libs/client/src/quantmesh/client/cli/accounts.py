"""Commands about who one is."""

from typing import Annotated

import typer

from quantmesh.client.cli import login as logins
from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.tables import facts

console = plain_console()
Email = Annotated[str, typer.Option(prompt=True)]
Password = Annotated[str, typer.Option(prompt=True, hide_input=True, envvar="QUANTMESH_PASSWORD")]


def register(email: Email, password: Password, full_name: Annotated[str, typer.Option(prompt=True)]) -> None:
    """Open an account and log in."""
    with logins.signing_in() as client:
        client.auth.register(email, password, full_name)
        client.auth.login(email, password)
    console.print(f"Welcome, {full_name}.")


def login(email: Email, password: Password) -> None:
    """Log in; the commands that follow act as this user."""
    with logins.signing_in() as client:
        client.auth.login(email, password)
    console.print(f"Logged in as {email}.")


def logout() -> None:
    """End the session on the server and forget it here."""
    with logins.signed_in() as client:
        client.auth.logout()
    logins.forget()
    console.print("Logged out.")


def whoami() -> None:
    """Who the commands act as."""
    with logins.signed_in() as client:
        user = client.auth.me()
    console.print(
        facts(("id", user.id), ("email", user.email), ("name", user.full_name), ("roles", ", ".join(user.roles)))
    )


def add_to(app: typer.Typer) -> None:
    for command in (register, login, logout, whoami):
        app.command()(command)
