"""What is promised (deploy/observability/rules/slo.yaml), and how fast the budget for missing it is used up."""

from dashboards.frame import Panel
from dashboards.panels import Limits, Query, graph, number
from dashboards.promql import greatest, select

# Where an alert wakes somebody up, and where it opens a ticket (two windows each).
_PAGE, _TICKET = 14.4, 1.0


def budgets(*objectives: str) -> list[Panel]:
    """What three days leave of each objective's budget at their pace: 1 is all of it, below 0 it is overdrawn."""
    return [_budget(objective, f'slo="{objective}"') for objective in objectives]


def burn_rates(matcher: str) -> list[Panel]:
    return [
        graph(
            f"Burn rate over {window}",
            "short",
            Query(greatest(select(f"slo:burn_rate:{window}", matcher), by="slo"), "{{slo}}"),
            means="The pace at which the error budget is used up; at 1 it lasts exactly its 30 days.",
            runbook="ErrorBudgetBurn",
            limits=Limits(_TICKET, _PAGE),
            width=12,
        )
        for window in ("1h", "6h")
    ]


def _budget(objective: str, matcher: str) -> Panel:
    return number(
        f"Budget kept: {objective}",
        "percentunit",
        f"1 - {greatest(select('slo:burn_rate:3d', matcher))}",
        means="What the last three days leave of the error budget at their pace; 0 uses it up in 30 days.",
        runbook="ErrorBudgetBurn",
        limits=Limits(0.25, 0.0),
        width=6,
    )
