"""Forecasts, models and training: bodies, queries and answers."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from quantmesh.gateway.http.models.base import Body, Query, Shown, ShownInstant, Symbol

Timeframe = Literal["1d", "1w", "1m", "3m"]


class ForecastQuery(Query):
    timeframe: Timeframe = "1d"


class TrainBody(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"timeframe": "1d", "max_seconds": 45}]})

    timeframe: Timeframe
    symbols: Annotated[list[Symbol], Field(max_length=500)] = Field(default_factory=list)
    max_seconds: Annotated[int | None, Field(ge=5, le=600, description="The budget of the fit; 45 where absent.")] = (
        None
    )


class SkillShown(Shown):
    """Walk-forward and out of sample, beside the naive forecast on the same windows."""

    rmse: float | None
    naive_rmse: float | None
    skill: float | None
    directional_accuracy: float | None
    interval_coverage: float | None
    interval_confidence: float | None
    windows: int
    beats_naive: bool


class ForecastShown(Shown):
    id: str
    symbol: str
    timeframe: Timeframe
    last_price: float
    predicted_price: float
    confidence_lower: float
    confidence_upper: float
    direction: Literal["up", "down", "flat"]
    confidence_score: float
    model: str
    model_version: str
    skill: SkillShown | None
    as_of: ShownInstant | None
    published_at: ShownInstant | None
    note: str | None


class ModelShown(Shown):
    name: str
    version: str
    timeframe: Timeframe
    skill: SkillShown | None
    symbols: list[str]
    trained_at: ShownInstant | None
    training_end: ShownInstant | None
    active: bool


class ModelsShown(Shown):
    data: list[ModelShown]
    next_cursor: str | None
