"""Commands for risk limits."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.login import signed_in
from quantmesh.client.cli.tables import percent, table
from quantmesh.client.cli.values import PortfolioId
from quantmesh.client.models.limits import LimitUtilisation

console = plain_console()
limits = typer.Typer(help="What a portfolio may risk, and what is used of it.", no_args_is_help=True)


@limits.command()
def show(portfolio: PortfolioId) -> None:
    """Each limit with its value, and how it stands."""
    with signed_in() as client:
        used = client.limits.get(portfolio)
    made = table("rule", "value", "limit", "used", "state", right=("value", "limit", "used"))
    for each in used.utilisation:
        made.add_row(_named(each), _text(each.value), _text(each.limit), percent(each.utilisation), each.state)
    console.print(made if used.limits else "Nothing is limited.")


@limits.command("set")
def set_limits(
    portfolio: PortfolioId,
    file: Annotated[
        Path,
        typer.Argument(help="JSON: a list of limits as the API's reference has them.", exists=True, dir_okay=False),
    ],
) -> None:
    """Set all limits anew; an empty list lifts them."""
    wanted = _read(file)
    with signed_in() as client:
        definition = client.limits.set(portfolio, wanted)
    console.print(f"{len(definition.limits)} limits, version {definition.version}.", highlight=False)


def _read(file: Path) -> list[dict[str, Any]]:
    try:
        wanted = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise typer.BadParameter(f"{file} is no JSON: {error}", param_hint="FILE") from error
    if not isinstance(wanted, list) or not all(isinstance(each, dict) for each in wanted):
        raise typer.BadParameter(f"{file} is no list of limits", param_hint="FILE")
    return wanted


def _named(limit: LimitUtilisation) -> str:
    of = limit.largest or limit.symbol
    tail = "" if limit.confidence is None else f" {limit.confidence:.4g}, {limit.horizon_days} d"
    return f"{limit.rule}{tail}{f' ({of})' if of else ''}"


def _text(value: object) -> str:
    return "-" if value is None else str(value)


def add_to(app: typer.Typer) -> None:
    app.add_typer(limits, name="limits")
