"""Events: from the transaction that made them true, by outbox and broker, to their effect elsewhere."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.frame import frame
from dashboards.panels import Limits, Query, graph, number
from dashboards.promql import greatest, increase, quantile, rate
from dashboards.shared import dead_letters, oldest_unpublished, stream_clients
from dashboards.work import events_out


def events() -> Dashboard:
    return frame(
        "events",
        "Events",
        "Whether what happened is told, in time and once.",
        [
            (
                "Now",
                [
                    number(
                        "Unpublished",
                        "short",
                        f"sum({greatest('quantmesh_outbox_unpublished', by='schema')})",
                        means="Rows of all outboxes that wait for the broker.",
                        runbook="OutboxLag",
                        width=6,
                    ),
                    oldest_unpublished(width=6),
                    dead_letters(width=6),
                    number(
                        "Published again today",
                        "short",
                        increase("quantmesh_outbox_republished_total", window="24h"),
                        means="Events that the broker had acknowledged, and lost.",
                        runbook="BrokerLostEvents",
                        limits=Limits(1.0, 1.0),
                        width=6,
                    ),
                ],
            ),
            ("Out", events_out()),
            (
                "In",
                [
                    graph(
                        "By outcome",
                        "eps",
                        Query(rate("quantmesh_consumer_events_total", by="outcome"), "{{outcome}}"),
                        means="Parked ones wait for one before; failed, postponed and overdue ones are tried again.",
                        stacked=True,
                    ),
                    graph(
                        "From recording to effect (p99)",
                        "s",
                        Query(
                            quantile(0.99, "quantmesh_consumer_lag_seconds", by="consumer"),
                            "{{consumer}}",
                            exemplars=True,
                        ),
                        means="The whole way: outbox, broker, consumer, commit.",
                        runbook="ConsumerBehind",
                        limits=Limits(1.0, 10.0),
                    ),
                    graph(
                        "Time to handle (p99)",
                        "s",
                        Query(quantile(0.99, "quantmesh_consumer_seconds", by="consumer"), "{{consumer}}"),
                        means="The consumer's own work, of one event.",
                    ),
                    graph(
                        "Not settled",
                        "short",
                        Query(greatest("quantmesh_consumer_pending", by="consumer"), "{{consumer}}"),
                        means="Events in the stream that the consumer has not settled.",
                        runbook="ConsumerBehind",
                    ),
                    graph(
                        "Dead letters",
                        "short",
                        Query(greatest("quantmesh_dead_letters", by="consumer"), "{{consumer}}"),
                        means="Given up, and not replayed.",
                        runbook="DeadLetters",
                        limits=Limits(1.0, 1.0),
                    ),
                    graph(
                        "Core messages dropped",
                        "mps",
                        Query(rate("quantmesh_bus_dropped_total", by="job"), "{{job}}"),
                        means="Quotes and ticks that nobody keeps, dropped while there was no broker.",
                        runbook="BrokerDown",
                    ),
                ],
            ),
            (
                "To clients",
                [stream_clients(width=24)],
            ),
        ],
    )
