"""The rows of a service's page that no other service has."""

from collections.abc import Mapping, Sequence

from dashboards.frame import Row
from dashboards.panels import Limits, Query, graph
from dashboards.promql import age, greatest, rate, share
from dashboards.shared import batches, calibration_error, stream_clients, ticks


def own_rows() -> Mapping[str, Sequence[Row]]:
    return {"gateway": [_edge()], "market": [_feed()], "pricing": [_fit()], "blockchain": [anchoring()]}


def _edge() -> Row:
    reads = "quantmesh_response_cache_total"
    return "Edge", [
        stream_clients(),
        graph(
            "Shared reads from the cache",
            "percentunit",
            Query(share(rate(reads, 'outcome="hit"'), rate(reads)), "hit rate"),
            means="The share of cacheable reads that asked no service.",
        ),
        graph(
            "Limited by one gateway alone",
            "reqps",
            Query(rate("quantmesh_rate_limit_local_total"), "requests"),
            means="While Redis is away each gateway counts for itself.",
            runbook="RedisDown",
        ),
    ]


def _feed() -> Row:
    return "Feed", [
        graph(
            "Age of quotes",
            "s",
            Query(age("quantmesh_market_last_quote_timestamp_seconds"), "age"),
            means="Since quotes were last sent.",
            runbook="StaleQuotes",
            limits=Limits(10.0, 60.0),
        ),
        ticks(),
        graph(
            "End of data",
            "short",
            Query(greatest("quantmesh_market_feed_ended"), "ended"),
            means="1 once the feed that is played has come to its end.",
        ),
    ]


def _fit() -> Row:
    return "Calibration", [
        calibration_error(width=12),
        batches(width=12),
    ]


def anchoring() -> Row:
    return "Anchoring", [
        graph(
            "Anchors",
            "ops",
            Query(rate("quantmesh_blockchain_anchors_total", by="outcome"), "{{outcome}}"),
            Query(rate("quantmesh_blockchain_anchoring_failures_total"), "turns that failed"),
            means="Roots confirmed on chain, and those that a reorganisation took back.",
            runbook="AnchoringFailing",
            width=12,
        ),
        graph(
            "Age of the oldest that is not on chain",
            "s",
            Query(greatest("quantmesh_blockchain_unanchored_seconds"), "age"),
            means="A transaction is provable once it is in a block.",
            runbook="AnchoringBehind",
            limits=Limits(60.0, 600.0),
            width=12,
        ),
    ]
