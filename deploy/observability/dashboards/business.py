"""Business: who came, what they did, and what moved."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.frame import Panel, frame
from dashboards.panels import Query, graph, number
from dashboards.promql import increase, rate
from dashboards.shared import stream_clients

_CALLS = "quantmesh_rpc_seconds_count"


def business() -> Dashboard:
    return frame(
        "business",
        "Business",
        "Use of the platform, counted from the calls that succeeded.",
        [
            (
                "In the last day",
                [
                    _day("New accounts", "Register"),
                    _day("Logins", "Login"),
                    _day("New portfolios", "CreatePortfolio"),
                    _day("Orders placed", "PlaceOrder"),
                    _day("Transactions recorded", "RecordTransaction"),
                    _day("Forecasts", "GetForecast"),
                ],
            ),
            (
                "Trading",
                [
                    graph(
                        "Orders",
                        "cpm",
                        Query(_per_minute("PlaceOrder|ReplaceOrder|CancelOrder|ExecuteRebalance"), "{{method}}"),
                        means="Accepted a minute.",
                        stacked=True,
                    ),
                    graph(
                        "Fills",
                        "cpm",
                        Query(
                            "60 * " + rate("quantmesh_venue_proposals_total", 'action="fill"', by="outcome"),
                            "{{outcome}}",
                        ),
                        means="A minute.",
                        stacked=True,
                    ),
                    graph(
                        "Transactions",
                        "cpm",
                        Query(_per_minute("RecordTransaction|ReverseTransaction|ImportTransactions"), "{{method}}"),
                        means="Recorded by hand or imported, a minute; an import counts once.",
                        stacked=True,
                    ),
                ],
            ),
            (
                "Analytics",
                [
                    graph(
                        "Options",
                        "cpm",
                        Query(_per_minute("Price|ImpliedVolatility|Calibrate|Simulate|FitSurface"), "{{method}}"),
                        means="Single questions a minute; batches are on the page of numerics.",
                        stacked=True,
                    ),
                    graph(
                        "Risk and weights",
                        "cpm",
                        Query(
                            _per_minute("ValueAtRisk|Stress|Margin|Optimize|Frontier|Backtest|Exposure"), "{{method}}"
                        ),
                        means="A minute.",
                        stacked=True,
                    ),
                    graph(
                        "Proofs",
                        "cpm",
                        Query(_per_minute("GetInclusionProof|VerifyProof"), "{{method}}"),
                        means="Fetched and verified a minute.",
                        stacked=True,
                    ),
                ],
            ),
            (
                "Reach",
                [
                    graph(
                        "Routes",
                        "reqps",
                        Query(f"topk(10, {rate('quantmesh_http_seconds_count', by='route')})", "{{route}}"),
                        means="The ten that are asked most.",
                        stacked=True,
                        width=12,
                    ),
                    stream_clients(width=6),
                    graph(
                        "Sent",
                        "Bps",
                        Query(rate("quantmesh_http_sent_bytes_total"), "bodies"),
                        means="Bytes a second to clients.",
                        width=6,
                    ),
                ],
            ),
        ],
    )


def _day(title: str, method: str) -> Panel:
    return number(
        title,
        "short",
        increase(_CALLS, f'method="{method}"', 'code="OK"', window="24h"),
        means=f"Calls of {method} that succeeded.",
    )


def _per_minute(methods: str) -> str:
    return "60 * " + rate(_CALLS, f'method=~"{methods}"', 'code="OK"', by="method")
