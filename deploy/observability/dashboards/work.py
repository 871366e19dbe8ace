"""What a service does its work with: the database, events, jobs and the cache."""

from dashboards.frame import Panel
from dashboards.panels import Limits, Query, graph
from dashboards.promql import greatest, quantile, rate, select, share, total


def database(part: str) -> list[Panel]:
    return [
        graph(
            "Connections in use",
            "percentunit",
            Query(
                greatest(select("quantmesh_database_pool_connections", part, 'state="in_use"'), by="instance")
                + " / "
                + greatest(select("quantmesh_database_pool_size", part), by="instance"),
                "{{instance}}",
            ),
            means="The share of the pool that is in use, by replica.",
            runbook="PoolExhausted",
            limits=Limits(0.8, 0.9),
        ),
        graph(
            "Waiting for a connection",
            "short",
            Query(total("quantmesh_database_pool_connections", part, 'state="waiting"'), "callers"),
            Query(rate("quantmesh_database_pool_timeouts_total", part), "refused a second"),
            means="Callers that wait now, and those that waited in vain.",
            runbook="PoolExhausted",
        ),
        graph(
            "Wait for a connection (p99)",
            "s",
            Query(quantile(0.99, "quantmesh_database_pool_wait_seconds", part), "p99"),
            means="Of those callers who found every connection in use.",
        ),
    ]


def events_out(schema: str = "") -> list[Panel]:
    """Of one service's outbox, or of every one by its schema."""
    chosen, by, legend = (f'schema="{schema}"', "", schema) if schema else ("", "schema", "{{schema}}")
    return [
        graph(
            "Published",
            "eps",
            Query(rate("quantmesh_outbox_published_total", chosen, by=by), legend),
            means="Events a second that the broker acknowledged.",
        ),
        graph(
            "Waiting for the broker",
            "short",
            Query(greatest(select("quantmesh_outbox_unpublished", chosen), by=by), legend),
            means="Rows of the outbox that are not published.",
            runbook="OutboxLag",
        ),
        graph(
            "Age of the oldest",
            "s",
            Query(greatest(select("quantmesh_outbox_lag_seconds", chosen), by=by), legend),
            means="How long an event waits before it is told.",
            runbook="OutboxLag",
            limits=Limits(5.0, 30.0),
        ),
    ]


def events_in(part: str) -> list[Panel]:
    return [
        graph(
            "Handled",
            "eps",
            Query(rate("quantmesh_consumer_events_total", part, by="consumer, outcome"), "{{consumer}} {{outcome}}"),
            means="Events a second by what became of them.",
            stacked=True,
        ),
        graph(
            "From recording to effect (p99)",
            "s",
            Query(
                quantile(0.99, "quantmesh_consumer_lag_seconds", part, by="consumer"), "{{consumer}}", exemplars=True
            ),
            means="From an event's recording to the commit of its effect here.",
            runbook="ConsumerBehind",
            limits=Limits(1.0, 10.0),
        ),
        graph(
            "Not settled",
            "short",
            Query(greatest(select("quantmesh_consumer_pending", part), by="consumer"), "{{consumer}} pending"),
            Query(greatest(select("quantmesh_dead_letters", part), by="consumer"), "{{consumer}} dead"),
            means="Events that wait, and those that were given up until somebody replays them.",
            runbook="DeadLetters",
        ),
    ]


def jobs(part: str) -> list[Panel]:
    return [
        graph(
            "Ended",
            "ops",
            Query(rate("quantmesh_jobs_total", part, by="kind, status"), "{{kind}} {{status}}"),
            means="Jobs a second by how they ended.",
            runbook="JobsFailing",
            stacked=True,
        ),
        graph(
            "Time of a job (p95)",
            "s",
            Query(quantile(0.95, "quantmesh_job_seconds", part, by="kind"), "{{kind}}"),
            means="How long jobs ran, whatever became of them.",
        ),
        graph(
            "Longest wait",
            "s",
            Query(greatest(select("quantmesh_jobs_waiting_seconds", part), by="kind"), "{{kind}}"),
            means="How long the oldest job waits that no worker has begun.",
            runbook="JobsWaiting",
            limits=Limits(30.0, 300.0),
        ),
    ]


def cache(part: str) -> list[Panel]:
    reads = "quantmesh_cache_reads_total"
    return [
        graph(
            "Hit rate",
            "percentunit",
            Query(share(rate(reads, part, 'outcome="hit"', by="cache"), rate(reads, part, by="cache")), "{{cache}}"),
            means="The share of keys that Redis had.",
            width=12,
        ),
        graph(
            "Reads",
            "ops",
            Query(rate(reads, part, by="outcome"), "{{outcome}}"),
            means="Keys looked up a second; faults are those that Redis did not answer.",
            runbook="RedisDown",
            width=12,
            stacked=True,
        ),
    ]
