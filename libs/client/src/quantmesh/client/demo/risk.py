"""Step 4: what could be lost, and what would have been better weights."""

from quantmesh.client.cli import tables
from quantmesh.client.demo.stage import Stage


def measure_risk(stage: Stage) -> None:
    stage.step(4, "Risk of the portfolio, and optimised weights beside equal ones")
    mesh = stage.investor
    methods = ("historical", "parametric")
    results = [mesh.risk.value_at_risk(stage.portfolio_id, method=method) for method in methods]
    stage.console.print(tables.risk_table(results))
    for objective in ("minimum_variance", "maximum_sharpe"):
        stage.console.print(tables.optimization_table(mesh.portfolios.optimize(stage.portfolio_id, objective)))
