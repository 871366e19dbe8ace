"""Panels that stand on more than one page."""

from grafana_foundation_sdk.builders import stat, timeseries

from dashboards.panels import Limits, Query, graph, number
from dashboards.promql import age, greatest, quantile, rate, total


def ledger_breaks() -> stat.Panel:
    return number(
        "Ledger breaks",
        "short",
        greatest("quantmesh_ledger_breaks"),
        means="Portfolios whose ledger differs from what its journal says.",
        runbook="LedgerBroken",
        limits=Limits(1.0, 1.0),
    )


def dead_letters(width: int = 4) -> stat.Panel:
    return number(
        "Dead letters",
        "short",
        f"sum({greatest('quantmesh_dead_letters', by='consumer')})",
        means="Events that were given up, and wait for somebody to replay them.",
        runbook="DeadLetters",
        limits=Limits(1.0, 1.0),
        width=width,
    )


def oldest_unpublished(width: int = 4) -> stat.Panel:
    return number(
        "Oldest unpublished event",
        "s",
        greatest("quantmesh_outbox_lag_seconds"),
        means="Over all services.",
        runbook="OutboxLag",
        limits=Limits(5.0, 30.0),
        width=width,
    )


def age_of_quotes() -> stat.Panel:
    return number(
        "Age of quotes",
        "s",
        age("quantmesh_market_last_quote_timestamp_seconds"),
        means="Since quotes were last sent; on a stale one nothing is filled.",
        runbook="StaleQuotes",
        limits=Limits(10.0, 60.0),
    )


def ticks() -> timeseries.Panel:
    return graph(
        "Ticks",
        "ops",
        Query(rate("quantmesh_market_ticks_total", by="outcome"), "{{outcome}}"),
        means="Of the feed, by what became of them; batches count once where they are refused or lost.",
        stacked=True,
    )


def stream_clients(width: int = 8) -> timeseries.Panel:
    return graph(
        "Clients of the stream",
        "short",
        Query(total("quantmesh_stream_connections", by="instance"), "{{instance}}"),
        means="Open WebSockets by gateway.",
        stacked=True,
        width=width,
    )


def calibration_error(width: int = 8) -> timeseries.Panel:
    return graph(
        "Calibration error",
        "percentunit",
        *(
            Query(
                quantile(level, "quantmesh_pricing_calibration_error", by="model"),
                f"{{{{model}}}} p{level * 100:g}",
            )
            for level in (0.5, 0.95)
        ),
        means="Root mean square of model less market; 1 % is one volatility point.",
        limits=Limits(0.01, 0.03),
        width=width,
    )


def batches(width: int = 8) -> timeseries.Panel:
    return graph(
        "Contracts in batches",
        "rowsps",
        Query(rate("quantmesh_pricing_batch_rows_total"), "contracts a second"),
        means="Options priced, or volatilities implied, in columns.",
        width=width,
    )


def processor(parts: str, width: int = 12) -> timeseries.Panel:
    return graph(
        "Processor",
        "short",
        Query(rate("process_cpu_seconds_total", parts, by="job"), "{{job}}"),
        means="Cores in use.",
        stacked=True,
        width=width,
    )
