"""What an operator opens first: are promises kept, is everything up, and where is it slow or failing."""

from collections.abc import Sequence

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.frame import frame
from dashboards.objectives import budgets, burn_rates
from dashboards.panels import Limits, Query, graph, number
from dashboards.promql import FAILURES, quantile, rate, share, total
from dashboards.shared import age_of_quotes, dead_letters, ledger_breaks, oldest_unpublished, processor, stream_clients


def overview(services: Sequence[str]) -> Dashboard:
    parts = f'job=~"({"|".join(services)})(-worker)?"'
    edge = "quantmesh_http_seconds"
    calls = "quantmesh_rpc_seconds"
    return frame(
        "overview",
        "Overview",
        "The whole mesh on one page; each service has a page of its own.",
        [
            ("Promises", budgets("edge-availability", "edge-latency", "money-availability", "money-latency")),
            (
                "Now",
                [
                    number(
                        "Parts down",
                        "short",
                        f"count(up{{{parts}}} == 0) or vector(0)",
                        means="Processes that do not answer their operators' port.",
                        runbook="PartDown",
                        limits=Limits(1.0, 1.0),
                    ),
                    ledger_breaks(),
                    dead_letters(),
                    oldest_unpublished(),
                    age_of_quotes(),
                    number(
                        "Open breakers",
                        "short",
                        total("quantmesh_peer_breaker_open"),
                        means="Pairs of services of which one has given up calling the other.",
                        runbook="BreakerOpen",
                        limits=Limits(1.0, 1.0),
                    ),
                ],
            ),
            (
                "Edge",
                [
                    graph(
                        "Requests",
                        "reqps",
                        Query(rate(f"{edge}_count", by="status"), "{{status}}"),
                        means="Answers a second by HTTP status.",
                        stacked=True,
                    ),
                    graph(
                        "Time of a request",
                        "s",
                        *(Query(quantile(level, edge), f"p{level * 100:g}", exemplars=True) for level in (0.5, 0.99)),
                        means="Over all routes; the dots are single requests, each with its trace.",
                    ),
                    stream_clients(),
                ],
            ),
            (
                "Services",
                [
                    graph(
                        "Calls",
                        "reqps",
                        Query(rate(f"{calls}_count", by="job"), "{{job}}"),
                        means="gRPC calls served a second.",
                        stacked=True,
                    ),
                    graph(
                        "Failed calls",
                        "percentunit",
                        Query(
                            share(rate(f"{calls}_count", FAILURES, by="job"), rate(f"{calls}_count", by="job")),
                            "{{job}}",
                        ),
                        means="The share of calls that failed for no fault of the caller.",
                        limits=Limits(0.001, 0.01),
                    ),
                    graph(
                        "Time of a call (p99)",
                        "s",
                        Query(quantile(0.99, calls, by="job"), "{{job}}"),
                        means="Over all methods of a service.",
                    ),
                ],
            ),
            ("Burn rates", burn_rates("")),
            (
                "Machines",
                [
                    processor(parts),
                    graph(
                        "Memory",
                        "bytes",
                        Query(total("process_resident_memory_bytes", parts, by="job"), "{{job}}"),
                        means="Resident memory of all replicas.",
                        stacked=True,
                        width=12,
                    ),
                ],
            ),
        ],
    )
