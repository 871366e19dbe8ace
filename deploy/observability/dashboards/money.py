"""The ledger and orders: is every posting right, does every order come to its end, and how long does it take."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.frame import frame
from dashboards.objectives import burn_rates
from dashboards.own import anchoring
from dashboards.panels import Limits, Query, graph, number
from dashboards.promql import age, greatest, quantile, rate
from dashboards.shared import age_of_quotes, ledger_breaks, ticks

_MOVES_MONEY = 'method=~"PlaceOrder|ReplaceOrder|CancelOrder|ExecuteRebalance|RecordTransaction|ReverseTransaction"'


def money() -> Dashboard:
    calls = "quantmesh_rpc_seconds"
    return frame(
        "money",
        "Money: ledger and orders",
        "Whether the books balance, and how orders fare.",
        [
            (
                "Books",
                [
                    ledger_breaks(),
                    number(
                        "Verified",
                        "s",
                        age("quantmesh_ledger_verified_timestamp_seconds"),
                        means="Since all ledgers were last rebuilt from their journals and compared.",
                        runbook="LedgerUnverified",
                        # Each day once; from two on nobody does it.
                        limits=Limits(26 * 3600.0, 48 * 3600.0),
                    ),
                    number(
                        "Not on chain for",
                        "s",
                        greatest("quantmesh_blockchain_unanchored_seconds"),
                        means="Age of the oldest transaction that is in no block yet.",
                        runbook="AnchoringBehind",
                        limits=Limits(60.0, 600.0),
                    ),
                    number(
                        "Halts in force",
                        "short",
                        greatest("quantmesh_venue_halts"),
                        means="Trading is halted by an operator, or by a breaker of the market's.",
                        limits=Limits(1.0, 1000.0),
                    ),
                    number(
                        "Resting orders",
                        "short",
                        greatest("quantmesh_venue_open_orders"),
                        means="Orders in the leader's book.",
                    ),
                    age_of_quotes(),
                ],
            ),
            (
                "Calls that move money",
                [
                    graph(
                        "Calls",
                        "reqps",
                        Query(rate(f"{calls}_count", _MOVES_MONEY, by="method"), "{{method}}"),
                        means="A second, refused ones included.",
                        stacked=True,
                    ),
                    graph(
                        "Time (p99)",
                        "s",
                        Query(quantile(0.99, calls, _MOVES_MONEY, by="method"), "{{method}}", exemplars=True),
                        means="Of the calls above; the dots are single ones, each with its trace.",
                        limits=Limits(0.25, 1.0),
                    ),
                    graph(
                        "Not OK",
                        "reqps",
                        Query(
                            rate(f"{calls}_count", _MOVES_MONEY, 'code!="OK"', by="method, code"), "{{method}} {{code}}"
                        ),
                        means="Refusals (insufficient cash, a limit) and failures.",
                        stacked=True,
                    ),
                ],
            ),
            (
                "Venue",
                [
                    graph(
                        "What the book proposed",
                        "ops",
                        Query(rate("quantmesh_venue_proposals_total", by="action, outcome"), "{{action}} {{outcome}}"),
                        means="Fills, triggers, expiries and cancellations, and whether the ledger did them.",
                        stacked=True,
                    ),
                    graph(
                        "From a quote to its match",
                        "s",
                        *(
                            Query(quantile(level, "quantmesh_venue_quote_age_seconds"), f"p{level * 100:g}")
                            for level in (0.5, 0.99)
                        ),
                        means="The age of quotes when orders were matched with them.",
                        runbook="StaleQuotes",
                    ),
                    ticks(),
                ],
            ),
            ("Burn rates", burn_rates('slo=~"money-.*"')),
            anchoring(),
        ],
    )
