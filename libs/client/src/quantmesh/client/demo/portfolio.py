"""Steps 1 and 2: an account, a portfolio from a CSV file, and what it is worth."""

import secrets
from importlib.resources import files

from quantmesh.client.cli import tables
from quantmesh.client.cli.progress import progress_bar
from quantmesh.client.demo.stage import Stage


def open_portfolio(stage: Stage) -> None:
    stage.step(1, "An account, a portfolio, and four years of trades from a CSV file")
    mesh = stage.investor
    email, password = f"investor-{secrets.token_hex(4)}@quantmesh.dev", secrets.token_urlsafe(18)
    mesh.auth.register(email, password, "Demo Investor")
    mesh.auth.login(email, password)
    portfolio = mesh.portfolios.create("Growth", "USD")
    stage.portfolio_id = portfolio.id
    stage.say(f"Registered and logged in as {email}; opened the portfolio {portfolio.name}.")
    content = files("quantmesh.client.demo").joinpath("transactions.csv").read_bytes()
    rehearsal = mesh.portfolios.import_csv(portfolio.id, content, dry_run=True)
    stage.say(f"Dry run: {rehearsal.accepted_rows} rows would be recorded, {rehearsal.rejected_rows} would be refused:")
    stage.console.print(tables.import_table(rehearsal))
    with progress_bar(stage.console) as show:
        result = mesh.portfolios.import_csv(portfolio.id, content, dry_run=False, on_progress=show)
    stage.transaction_ids = [row.id for row in result.accepted if row.id is not None]
    stage.say(
        f"Imported: {result.accepted_rows} transactions recorded in double entry, {result.rejected_rows} refused."
    )


def value_portfolio(stage: Stage) -> None:
    stage.step(2, "Positions, cash and performance on the latest day")
    mesh = stage.investor
    positions = mesh.portfolios.positions(stage.portfolio_id)
    stage.console.print(tables.positions_table(positions, rows=8))
    total = tables.cash_text([positions.total_value]) if positions.total_value else "-"
    when = f" on {positions.as_of:%Y-%m-%d}" if positions.as_of else ""
    stage.console.print(tables.facts(("cash", tables.cash_text(positions.cash)), ("total value", f"{total}{when}")))
    stage.console.print(tables.performance_facts(mesh.portfolios.performance(stage.portfolio_id)))
