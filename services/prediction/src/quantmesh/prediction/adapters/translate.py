"""Values to messages, and timeframes both ways."""

from quantmesh.api.prediction.v1 import prediction_pb2 as pb
from quantmesh.chassis.times import to_timestamp
from quantmesh.prediction.core.errors import TimeframeUnknown
from quantmesh.prediction.core.model import Direction, Forecast, ModelVersion, Skill, Timeframe

_TIMEFRAMES = {
    Timeframe.DAY: pb.TIMEFRAME_1D,
    Timeframe.WEEK: pb.TIMEFRAME_1W,
    Timeframe.MONTH: pb.TIMEFRAME_1M,
    Timeframe.QUARTER: pb.TIMEFRAME_3M,
}
_BY_NUMBER = {number: timeframe for timeframe, number in _TIMEFRAMES.items()}
_DIRECTIONS = {
    Direction.UP: pb.DIRECTION_UP,
    Direction.DOWN: pb.DIRECTION_DOWN,
    Direction.FLAT: pb.DIRECTION_FLAT,
}


def timeframe_of(number: pb.Timeframe.ValueType) -> Timeframe:
    """Raises TimeframeUnknown."""
    timeframe = _BY_NUMBER.get(number)
    if timeframe is None:
        raise TimeframeUnknown(number)
    return timeframe


def skill_message(skill: Skill) -> pb.Skill:
    return pb.Skill(
        rmse=skill.rmse,
        naive_rmse=skill.naive_rmse,
        skill=skill.skill,
        directional_accuracy=skill.directional_accuracy,
        interval_coverage=skill.interval_coverage,
        interval_confidence=skill.interval_confidence,
        windows=skill.windows,
        beats_naive=skill.beats_naive,
    )


def model_message(model: ModelVersion) -> pb.ModelVersion:
    return pb.ModelVersion(
        name=model.name,
        version=model.version,
        timeframe=_TIMEFRAMES[model.timeframe],
        skill=skill_message(model.skill),
        symbols=model.symbols,
        trained_at=to_timestamp(model.trained_at),
        training_end=to_timestamp(model.training_end),
        active=model.active,
    )


def forecast_message(forecast: Forecast) -> pb.Forecast:
    return pb.Forecast(
        id=forecast.id,
        symbol=forecast.symbol,
        timeframe=_TIMEFRAMES[forecast.timeframe],
        predicted_price=forecast.predicted_price,
        confidence_lower=forecast.confidence_lower,
        confidence_upper=forecast.confidence_upper,
        direction=_DIRECTIONS[forecast.direction],
        confidence_score=forecast.confidence_score,
        model=forecast.model,
        model_version=forecast.model_version,
        skill=skill_message(forecast.skill),
        as_of=to_timestamp(forecast.as_of),
        published_at=to_timestamp(forecast.published_at),
        last_price=forecast.last_price,
        note=forecast.note,
    )
