"""`quantmesh demo`: the seven steps in turn, as a fresh user each time."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from quantmesh.client.client import DEFAULT_ADDRESS, Client
from quantmesh.client.demo.forecast import forecast
from quantmesh.client.demo.options import price_options
from quantmesh.client.demo.portfolio import open_portfolio, value_portfolio
from quantmesh.client.demo.proof import prove
from quantmesh.client.demo.risk import measure_risk
from quantmesh.client.demo.stage import Stage
from quantmesh.client.demo.trade import trade
from quantmesh.client.errors import ClientError


def demo(
    operator_file: Annotated[
        Path, typer.Option("--operator", help="Credentials that train the model, as `make up` writes them.")
    ] = Path(".quantmesh/operator.json"),
    alter: Annotated[
        str, typer.Option(help="Command that alters a stored amount; it gets a transaction's id and the difference.")
    ] = "",
    train_seconds: Annotated[int, typer.Option(min=5, max=60, help="How long the model may train.")] = 55,
) -> None:
    """The main job on real prices: portfolio, options, risk, forecast, trade, proof."""
    credentials = _credentials(operator_file)
    address = credentials.get("gateway", DEFAULT_ADDRESS)
    with Client(address) as investor, Client(address) as operator:
        operator.auth.login(credentials["email"], credentials["password"])
        stage = Stage(Console(soft_wrap=True), investor)
        open_portfolio(stage)
        value_portfolio(stage)
        price_options(stage)
        measure_risk(stage)
        forecast(stage, operator, train_seconds)
        trade(stage)
        prove(stage, alter)
        _close(stage, address)


def _credentials(path: Path) -> dict[str, str]:
    if not path.exists():
        raise ClientError(f"{path} is not there: run this where `make up` was run, or name it with --operator.")
    values: dict[str, str] = json.loads(path.read_text())
    return values


def _close(stage: Stage, address: str) -> None:
    stage.console.print()
    stage.say(f"[bold green]Done[/bold green] in {stage.elapsed_seconds:.0f} s. The mesh stays up:")
    stage.say(f"  {address}/docs         the API, to be tried in the browser")
    stage.say("  .venv/bin/quantmesh    the same from the command line")
    stage.say("  make status            each part, its memory and restarts;  make down  stops them")
