"""Forecasts and the models behind them."""

from datetime import datetime

from quantmesh.client.models.base import Answer


class Skill(Answer):
    """Walk-forward and out of sample, beside the naive forecast on the same windows."""

    rmse: float | None
    naive_rmse: float | None
    skill: float | None
    directional_accuracy: float | None
    interval_coverage: float | None
    interval_confidence: float | None
    windows: int
    beats_naive: bool


class Forecast(Answer):
    id: str
    symbol: str
    timeframe: str
    last_price: float
    predicted_price: float
    confidence_lower: float
    confidence_upper: float
    direction: str
    confidence_score: float
    model: str
    model_version: str
    skill: Skill | None
    as_of: datetime | None
    published_at: datetime | None
    note: str | None


class TrainedModel(Answer):
    name: str
    version: str
    timeframe: str
    skill: Skill | None
    symbols: tuple[str, ...]
    trained_at: datetime | None
    training_end: datetime | None
    active: bool
