"""How calls and requests go: their rate, their errors and their time."""

from dashboards.frame import Panel
from dashboards.panels import Limits, Query, graph
from dashboards.promql import FAILURES, greatest, quantile, rate, select, share

_CALLS = "quantmesh_rpc_seconds"
_REQUESTS = "quantmesh_http_seconds"


def calls_served(part: str) -> list[Panel]:
    all_calls = rate(f"{_CALLS}_count", part)
    return [
        graph(
            "Calls",
            "reqps",
            Query(rate(f"{_CALLS}_count", part, by="method"), "{{method}}"),
            means="Calls served a second, by method.",
            stacked=True,
        ),
        graph(
            "Failed calls",
            "percentunit",
            Query(share(rate(f"{_CALLS}_count", part, FAILURES), all_calls), "failed"),
            means="The share of calls that failed for no fault of the caller; a refusal is an answer.",
            limits=Limits(0.001, 0.01),
        ),
        graph(
            "Time of a call",
            "s",
            *(Query(quantile(level, _CALLS, part), f"p{level * 100:g}", exemplars=True) for level in (0.5, 0.95, 0.99)),
            means="How long calls took to serve; the dots are single ones, each with its trace.",
        ),
        graph(
            "Slowest methods (p99)",
            "s",
            Query(f"topk(8, {quantile(0.99, _CALLS, part, by='method')})", "{{method}}"),
            means="The eight methods whose slowest hundredth takes longest.",
            width=12,
        ),
        graph(
            "Answers by status",
            "reqps",
            Query(rate(f"{_CALLS}_count", part, 'code!="OK"', by="code"), "{{code}}"),
            means="Calls a second that did not end in OK: refusals and failures.",
            width=12,
            stacked=True,
        ),
    ]


def requests_served(part: str) -> list[Panel]:
    all_requests = rate(f"{_REQUESTS}_count", part)
    return [
        graph(
            "Requests",
            "reqps",
            Query(f"topk(10, {rate(f'{_REQUESTS}_count', part, by='method, route')})", "{{method}} {{route}}"),
            means="Requests a second, of the ten busiest routes.",
            stacked=True,
        ),
        graph(
            "Failed requests",
            "percentunit",
            Query(share(rate(f"{_REQUESTS}_count", part, 'status=~"5.."'), all_requests), "5xx"),
            Query(share(rate(f"{_REQUESTS}_count", part, 'status=~"4.."'), all_requests), "4xx"),
            means="5xx are ours; 4xx are what clients asked for wrongly, or too often.",
            limits=Limits(0.001, 0.01),
        ),
        graph(
            "Time of a request",
            "s",
            *(
                Query(quantile(level, _REQUESTS, part), f"p{level * 100:g}", exemplars=True)
                for level in (0.5, 0.95, 0.99)
            ),
            means="From the first byte in to the last byte out; the dots are single requests, each with its trace.",
        ),
        graph(
            "Slowest routes (p99)",
            "s",
            Query(f"topk(8, {quantile(0.99, _REQUESTS, part, by='route')})", "{{route}}"),
            means="The eight routes whose slowest hundredth takes longest.",
            width=12,
        ),
        graph(
            "Answers by status",
            "reqps",
            Query(rate(f"{_REQUESTS}_count", part, by="status"), "{{status}}"),
            means="Answers a second by HTTP status.",
            width=12,
            stacked=True,
        ),
    ]


def calls_out(part: str) -> list[Panel]:
    return [
        graph(
            "Calls to peers",
            "reqps",
            Query(rate("quantmesh_peer_seconds_count", part, by="peer"), "{{peer}}"),
            means="Calls a second to other services.",
            stacked=True,
        ),
        graph(
            "Time of peers (p99)",
            "s",
            Query(quantile(0.99, "quantmesh_peer_seconds", part, by="peer"), "{{peer}}"),
            means="How long peers take, as seen from here: network and queues included.",
        ),
        graph(
            "Open breakers",
            "short",
            Query(greatest(select("quantmesh_peer_breaker_open", part), by="peer"), "{{peer}}"),
            means="1 while calls to the peer fail at once, since it failed too often.",
            runbook="BreakerOpen",
            limits=Limits(0.5, 1.0),
        ),
    ]
