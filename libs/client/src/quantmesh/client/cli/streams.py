"""The command that follows the stream."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from quantmesh.client.cli.login import signed_in


def watch(
    channels: Annotated[list[str], typer.Argument(help="Such as quotes.AAPL or portfolio.<id>.")],
    seconds: Annotated[float, typer.Option(help="For how long.")] = 60.0,
) -> None:
    """Live events, one JSON object a line."""
    with signed_in() as client, client.stream() as stream:
        stream.subscribe(channels)
        for event in stream.events(timeout_seconds=seconds):
            typer.echo(json.dumps({**asdict(event), "time": event.time.isoformat()}))


def add_to(app: typer.Typer) -> None:
    app.command()(watch)
