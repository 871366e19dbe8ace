"""What pricing shows of itself."""

from prometheus_client import Counter, Histogram

CALIBRATION_ERROR = Histogram(
    "quantmesh_pricing_calibration_error",
    "Root mean square of model less market, in implied volatility, of each calibration",
    ["model"],
    buckets=(0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5),
)
BATCH_ROWS = Counter("quantmesh_pricing_batch_rows_total", "Contracts answered in batches")
