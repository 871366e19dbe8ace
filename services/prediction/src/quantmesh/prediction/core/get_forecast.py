"""The forecast of a symbol over a timeframe: made once per close and model, stored, and read again from then on."""

import math
from datetime import datetime
from typing import Final
from uuid import UUID

import numpy as np

from quantmesh.prediction.core.errors import HistoryTooShort, ModelNotFinite, SeriesUnadjusted, SymbolUnknown
from quantmesh.prediction.core.features import daily_volatility
from quantmesh.prediction.core.market_day import MarketDay
from quantmesh.prediction.core.model import (
    AssetClass,
    Direction,
    Forecast,
    ModelVersion,
    ReturnForecast,
    Timeframe,
    sessions_ahead,
)
from quantmesh.prediction.core.naive import NAIVE_VERSION, closes_needed, forecast_naively
from quantmesh.prediction.core.panel import CLOSES_NEEDED, latest_window
from quantmesh.prediction.core.ports import ForecastStore, History, Market, Predictor, Predictors
from quantmesh.prediction.core.prediction import Prediction

NAIVE_HISTORY: Final = 2520
"""Closes asked for: ten years of sessions, so that the naive forecast is scored on more than one kind of market."""

_FLAT: Final = 0.05
"""Below this share of the forecast's own scale, an expected move is no direction."""

_LARGEST_MOVE: Final = 3.0
"""As a log return: no price moves by a factor of 20, and beyond some 700 the exponential is infinite."""

_WIDEST: Final = 4.0 * _LARGEST_MOVE
"""The same for the ends of an interval, which lie some scales away: a series that stood still for long before it moved
has errors of thousands of scales."""


async def get_forecast(
    symbol: str,
    timeframe: Timeframe,
    asset_class: AssetClass,
    *,
    market: Market,
    store: ForecastStore,
    predictors: Predictors,
    day: MarketDay,
    new_id: UUID,
    now: datetime,
) -> Forecast:
    """By the active model where it was trained on this symbol and on no later closes, else naive; `note` says why, and
    where its last close is old on `day`."""
    asset = await market.asset(symbol)
    if asset is None or asset.asset_class is not asset_class:
        raise SymbolUnknown(symbol, asset_class)
    if not asset.adjusted:
        raise SeriesUnadjusted(symbol)
    active = await store.active_model(timeframe)
    model = active if active is not None and symbol in active.symbols else None
    horizon, why_naive = sessions_ahead(timeframe, asset_class), _why_naive(symbol, timeframe)
    history = await market.history(symbol, NAIVE_HISTORY if model is None else CLOSES_NEEDED)
    if model is not None and history is not None and history.as_of < model.training_end:
        # It knows what is to come: market time was set back, or this symbol's closes end before those of others.
        why_naive = _why_not(model)
        model = None
        history = await market.history(symbol, NAIVE_HISTORY)
    if history is None:
        raise HistoryTooShort(symbol, 0, closes_needed(horizon) if model is None else CLOSES_NEEDED)
    last_price = float(history.closes.closes[-1])
    version = NAIVE_VERSION if model is None else model.version
    stored = await store.find(symbol, timeframe, version, history.as_of, last_price)
    if stored is not None:
        return day.dated(stored, asset_class)
    if model is None:
        prediction = forecast_naively(history.closes, horizon, why_naive)
    else:
        prediction = _by_model(history, horizon, model, await predictors.load(model))
    published = await store.publish(forecast_of(prediction, history, timeframe, new_id, now))
    return day.dated(published, asset_class)


def forecast_of(
    prediction: Prediction, history: History, timeframe: Timeframe, new_id: UUID, now: datetime
) -> Forecast:
    """In prices. The predicted price is the median: the last price grown by the expected log return.

    Raises ModelNotFinite where an end of the interval is no price.
    """
    expected = prediction.expected
    last_price = float(history.closes.closes[-1])
    lower, upper = prediction.calibration.interval(expected)
    if not max(abs(lower), abs(upper)) < _WIDEST:
        raise ModelNotFinite(prediction.model_version, history.closes.symbol)
    up = prediction.calibration.probability_up(expected)
    direction = _direction(expected)
    return Forecast(
        id=str(new_id),
        symbol=history.closes.symbol,
        timeframe=timeframe,
        last_price=last_price,
        predicted_price=last_price * math.exp(expected.location),
        confidence_lower=last_price * math.exp(lower),
        confidence_upper=last_price * math.exp(upper),
        direction=direction,
        confidence_score={Direction.UP: up, Direction.DOWN: 1.0 - up, Direction.FLAT: max(up, 1.0 - up)}[direction],
        model=prediction.model,
        model_version=prediction.model_version,
        skill=prediction.skill,
        as_of=history.as_of,
        published_at=now,
        note=prediction.note,
    )


def _direction(expected: ReturnForecast) -> Direction:
    if abs(expected.location) < _FLAT * expected.scale:
        return Direction.FLAT
    return Direction.UP if expected.location > 0.0 else Direction.DOWN


def _by_model(history: History, horizon: int, model: ModelVersion, predictor: Predictor) -> Prediction:
    closes = history.closes
    if len(closes) < CLOSES_NEEDED:
        raise HistoryTooShort(closes.symbol, len(closes), CLOSES_NEEDED)
    unit = float(daily_volatility(closes.closes)[-1]) * math.sqrt(horizon)
    locations, scales = predictor.predict(latest_window(closes))
    location, scale = float(locations[0]) * unit, float(scales[0]) * unit
    if not (np.isfinite([location, scale]).all() and scale > 0.0 and abs(location) + scale < _LARGEST_MOVE):
        raise ModelNotFinite(model.version, closes.symbol)
    expected = ReturnForecast(location, scale)
    return Prediction(expected, predictor.calibration, model.skill, model.name, model.version, _why_model(model))


def _why_naive(symbol: str, timeframe: Timeframe) -> str:
    return f"No model is trained for {timeframe} on {symbol} yet: this is the naive forecast, that the price stays."


def _why_not(model: ModelVersion) -> str:
    return (
        f"The model trained for {model.timeframe} has learnt from closes up to {model.training_end:%Y-%m-%d},"
        " later than this one: this is the naive forecast, that the price stays."
    )


def _why_model(model: ModelVersion) -> str:
    skill = model.skill
    if skill.beats_naive:
        return ""
    return (
        f"Out of sample this model did not beat the naive forecast that the price stays: its error was"
        f" {skill.rmse:.4g}, the naive one's {skill.naive_rmse:.4g}. It answers all the same; weigh it accordingly."
    )
