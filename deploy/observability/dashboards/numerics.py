"""Numerics: how much is computed, how fast, and how well it fits what is observed."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.frame import frame
from dashboards.panels import Query, graph
from dashboards.promql import greatest, quantile, rate
from dashboards.shared import batches, calibration_error, processor
from dashboards.work import jobs

_COMPUTES = 'job=~"(pricing|risk|prediction)(-worker)?"'


def numerics() -> Dashboard:
    calls = "quantmesh_rpc_seconds"
    return frame(
        "numerics",
        "Numerics",
        "Prices, risk and forecasts: volume, time and accuracy.",
        [
            (
                "Calls",
                [
                    graph(
                        "Computations",
                        "reqps",
                        Query(rate(f"{calls}_count", _COMPUTES, by="method"), "{{method}}"),
                        means="Calls of pricing, risk and prediction.",
                        stacked=True,
                    ),
                    graph(
                        "Time (p95)",
                        "s",
                        Query(quantile(0.95, calls, _COMPUTES, by="method"), "{{method}}", exemplars=True),
                        means="Of the calls above; the dots are single ones, each with its trace.",
                    ),
                    batches(),
                ],
            ),
            (
                "Accuracy",
                [
                    calibration_error(),
                    graph(
                        "Coverage of intervals",
                        "percentunit",
                        Query(greatest("quantmesh_prediction_interval_coverage", by="timeframe"), "{{timeframe}}"),
                        Query("vector(0.9)", "intended"),
                        means="The share of outcomes inside the active model's 90 % intervals.",
                        runbook="ForecastMiscalibrated",
                    ),
                    graph(
                        "Skill of forecasts",
                        "percentunit",
                        Query(greatest("quantmesh_prediction_skill", by="timeframe"), "{{timeframe}}"),
                        means="The share of the naive forecast's squared error that the active model takes away.",
                    ),
                ],
            ),
            (
                "Work",
                [
                    graph(
                        "Inference",
                        "s",
                        *(
                            Query(
                                quantile(level, "quantmesh_prediction_inference_seconds", by="model"),
                                f"{{{{model}}}} p{level * 100:g}",
                            )
                            for level in (0.5, 0.99)
                        ),
                        means="The time that a trained model took for its answer.",
                        width=12,
                    ),
                    processor(_COMPUTES),
                ],
            ),
            ("Jobs", jobs(_COMPUTES)),
        ],
    )
