"""Forecasts and models: JSON to messages and back."""

from typing import Any

from quantmesh.api.prediction.v1 import prediction_pb2 as pb
from quantmesh.gateway.http.models.predictions import TrainBody
from quantmesh.gateway.translation.common import finite, instant, inverse

TIMEFRAMES = {"1d": pb.TIMEFRAME_1D, "1w": pb.TIMEFRAME_1W, "1m": pb.TIMEFRAME_1M, "3m": pb.TIMEFRAME_3M}
_TIMEFRAME_NAMES = inverse(TIMEFRAMES)
_DIRECTION_NAMES = inverse({"up": pb.DIRECTION_UP, "down": pb.DIRECTION_DOWN, "flat": pb.DIRECTION_FLAT})


def skill(message: pb.Skill) -> dict[str, Any]:
    return {
        "rmse": finite(message.rmse),
        "naive_rmse": finite(message.naive_rmse),
        "skill": finite(message.skill),
        "directional_accuracy": finite(message.directional_accuracy),
        "interval_coverage": finite(message.interval_coverage),
        "interval_confidence": finite(message.interval_confidence),
        "windows": message.windows,
        "beats_naive": message.beats_naive,
    }


def forecast(message: pb.Forecast) -> dict[str, Any]:
    return {
        "id": message.id,
        "symbol": message.symbol,
        "timeframe": _TIMEFRAME_NAMES[message.timeframe],
        "last_price": message.last_price,
        "predicted_price": message.predicted_price,
        "confidence_lower": message.confidence_lower,
        "confidence_upper": message.confidence_upper,
        "direction": _DIRECTION_NAMES[message.direction],
        "confidence_score": message.confidence_score,
        "model": message.model,
        "model_version": message.model_version,
        "skill": skill(message.skill) if message.HasField("skill") else None,
        "as_of": instant(message, "as_of"),
        "published_at": instant(message, "published_at"),
        "note": message.note or None,
    }


def model(message: pb.ModelVersion) -> dict[str, Any]:
    return {
        "name": message.name,
        "version": message.version,
        "timeframe": _TIMEFRAME_NAMES[message.timeframe],
        "skill": skill(message.skill) if message.HasField("skill") else None,
        "symbols": list(message.symbols),
        "trained_at": instant(message, "trained_at"),
        "training_end": instant(message, "training_end"),
        "active": message.active,
    }


def train_request(body: TrainBody) -> pb.TrainModelRequest:
    return pb.TrainModelRequest(
        timeframe=TIMEFRAMES[body.timeframe], symbols=body.symbols, max_seconds=body.max_seconds or 0
    )
