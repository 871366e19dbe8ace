"""The commands and how their errors are shown."""

import sys

import typer

from quantmesh.client.cli import (
    accounts,
    analytics,
    credentials,
    events,
    halts,
    jobs,
    kyc,
    ledger,
    limits,
    market,
    options,
    orders,
    portfolios,
    proofs,
    rebalance,
    streams,
    transactions,
)
from quantmesh.client.cli.console import plain_console
from quantmesh.client.demo.run import demo
from quantmesh.client.errors import ClientError

app = typer.Typer(
    help="Portfolios, option prices, risk, forecasts and proofs, from the terminal.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
accounts.add_to(app)
credentials.add_to(app)
portfolios.add_to(app)
transactions.add_to(app)
ledger.add_to(app)
orders.add_to(app)
rebalance.add_to(app)
market.add_to(app)
options.add_to(app)
analytics.add_to(app)
streams.add_to(app)
proofs.add_to(app)
jobs.add_to(app)
events.add_to(app)
halts.add_to(app)
limits.add_to(app)
kyc.add_to(app)
app.command()(demo)


def main() -> None:
    try:
        app()
    except (ClientError, OSError) as error:
        plain_console(stderr=True).print(str(error), style="red", highlight=False)
        sys.exit(1)
