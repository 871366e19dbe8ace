"""What the venue shows of itself."""

from prometheus_client import Counter, Gauge, Histogram

OPEN_ORDERS = Gauge("quantmesh_venue_open_orders", "Open orders in the leader's book")
QUOTE_AGE = Histogram(
    "quantmesh_venue_quote_age_seconds",
    "From a quote's sending to its being matched",
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0),
)
PROPOSALS = Counter(
    "quantmesh_venue_proposals_total", "What the book proposed, and whether the ledger did it", ["action", "outcome"]
)
