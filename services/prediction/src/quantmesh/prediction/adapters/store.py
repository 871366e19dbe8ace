"""All SQL of prediction's own tables. Forecasts and models belong to nobody, so they are read across tenants."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from quantmesh.api.prediction.v1 import events_pb2
from quantmesh.chassis import outbox
from quantmesh.chassis.database import Database
from quantmesh.chassis.sql import Row, text
from quantmesh.prediction.adapters.translate import forecast_message, model_message
from quantmesh.prediction.core.model import Direction, Forecast, ModelVersion, Skill, Timeframe

_FORECAST = """
    id, symbol, timeframe, model, model_version, as_of, last_price, predicted_price, confidence_lower,
    confidence_upper, direction, confidence_score, skill, note, published_at
"""
_FIND = text(
    f"""
    SELECT {_FORECAST} FROM forecast
    WHERE symbol = :symbol AND timeframe = :timeframe AND model_version = :model_version
      AND as_of = :as_of AND last_price = :last_price
    """  # noqa: S608  a constant
)
_GET = text(f"SELECT {_FORECAST} FROM forecast WHERE id = :id")  # noqa: S608  a constant
_PUBLISH = text(
    f"""
    INSERT INTO forecast ({_FORECAST})
    VALUES (:id, :symbol, :timeframe, :model, :model_version, :as_of, :last_price, :predicted_price,
            :confidence_lower, :confidence_upper, :direction, :confidence_score, CAST(:skill AS jsonb), :note,
            :published_at)
    ON CONFLICT (symbol, timeframe, model_version, as_of, last_price) DO NOTHING
    RETURNING id
    """  # noqa: S608  a constant
)
_MODEL = "name, version, timeframe, skill, symbols, trained_at, training_end, active"
_ACTIVE = text(f"SELECT {_MODEL} FROM model WHERE active")  # noqa: S608  a constant
_ACTIVE_OF = text(f"SELECT {_MODEL} FROM model WHERE active AND timeframe = :timeframe")  # noqa: S608  a constant
_LIST = text(
    f"""
    SELECT {_MODEL}, position FROM model
    WHERE CAST(:before AS bigint) IS NULL OR position < :before
    ORDER BY position DESC LIMIT :limit
    """  # noqa: S608  a constant
)
# Trainings of one timeframe that end together take turns at being the active one.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('quantmesh model of ' || :timeframe, 0))")
_RETIRE = text("UPDATE model SET active = false WHERE active AND timeframe = :timeframe")
_REGISTER = text(
    """
    INSERT INTO model (version, name, timeframe, symbols, skill, trained_at, training_end, active)
    VALUES (:version, :name, :timeframe, :symbols, CAST(:skill AS jsonb), :trained_at, :training_end, :active)
    ON CONFLICT (version) DO UPDATE SET active = EXCLUDED.active
    """
)


class Store:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def active_models(self) -> dict[Timeframe, ModelVersion]:
        async with self._database.system_transaction() as session:
            models = [_model(row) for row in await session.execute(_ACTIVE)]
        return {model.timeframe: model for model in models}

    async def active_model(self, timeframe: Timeframe) -> ModelVersion | None:
        async with self._database.system_transaction() as session:
            row = (await session.execute(_ACTIVE_OF, {"timeframe": timeframe})).one_or_none()
        return None if row is None else _model(row)

    async def models(self, limit: int, before: int | None) -> list[tuple[int, ModelVersion]]:
        """Newest first, each with its position."""
        async with self._database.system_transaction() as session:
            rows = (await session.execute(_LIST, {"limit": limit, "before": before})).all()
        return [(row.position, _model(row)) for row in rows]

    async def register(self, model: ModelVersion) -> ModelVersion:
        """Active and announced, unless the active model covers a stock that this one does not."""
        async with self._database.system_transaction() as session:
            await session.execute(_LOCK, {"timeframe": model.timeframe})
            row = (await session.execute(_ACTIVE_OF, {"timeframe": model.timeframe})).one_or_none()
            covers = row is None or set(row.symbols) <= set(model.symbols)
            registered = replace(model, active=covers)
            if covers:
                await session.execute(_RETIRE, {"timeframe": model.timeframe})
            if covers or row is None or row.version != model.version:
                await session.execute(_REGISTER, _model_values(registered))
            if covers:
                await outbox.append(
                    session,
                    "prediction.model.activated",
                    events_pb2.ModelActivated(model=model_message(registered)),
                    aggregate_id=model.timeframe,
                    occurred_at=model.trained_at,
                )
        return registered

    async def find(
        self, symbol: str, timeframe: Timeframe, model_version: str, as_of: datetime, last_price: float
    ) -> Forecast | None:
        key = {
            "symbol": symbol,
            "timeframe": timeframe,
            "model_version": model_version,
            "as_of": as_of,
            "last_price": last_price,
        }
        async with self._database.system_transaction() as session:
            row = (await session.execute(_FIND, key)).one_or_none()
        return None if row is None else _forecast(row)

    async def get(self, forecast_id: UUID) -> Forecast | None:
        async with self._database.system_transaction() as session:
            row = (await session.execute(_GET, {"id": forecast_id})).one_or_none()
        return None if row is None else _forecast(row)

    async def publish(self, forecast: Forecast) -> Forecast:
        """Stored and announced once; a twin that was first is answered in its place."""
        async with self._database.system_transaction() as session:
            added = await session.scalar(_PUBLISH, _forecast_values(forecast))
            if added is None:
                return _forecast((await session.execute(_FIND, _forecast_values(forecast))).one())
            await outbox.append(
                session,
                "prediction.forecast.published",
                events_pb2.ForecastPublished(forecast=forecast_message(forecast)),
                aggregate_id=forecast.symbol,
                occurred_at=forecast.published_at,
            )
        return forecast


def _skill_values(skill: Skill) -> str:
    return json.dumps(
        {
            "rmse": skill.rmse,
            "naive_rmse": skill.naive_rmse,
            "directional_accuracy": skill.directional_accuracy,
            "interval_coverage": skill.interval_coverage,
            "windows": skill.windows,
            "interval_confidence": skill.interval_confidence,
        },
        allow_nan=False,
    )


def _model_values(model: ModelVersion) -> dict[str, Any]:
    return {
        "version": model.version,
        "name": model.name,
        "timeframe": model.timeframe,
        "symbols": list(model.symbols),
        "skill": _skill_values(model.skill),
        "trained_at": model.trained_at,
        "training_end": model.training_end,
        "active": model.active,
    }


def _model(row: Row) -> ModelVersion:
    return ModelVersion(
        name=row.name,
        version=row.version,
        timeframe=Timeframe(row.timeframe),
        skill=Skill(**row.skill),
        symbols=tuple(row.symbols),
        trained_at=row.trained_at,
        training_end=row.training_end,
        active=row.active,
    )


def _forecast_values(forecast: Forecast) -> dict[str, Any]:
    return {
        "id": UUID(forecast.id),
        "symbol": forecast.symbol,
        "timeframe": forecast.timeframe,
        "model": forecast.model,
        "model_version": forecast.model_version,
        "as_of": forecast.as_of,
        "last_price": forecast.last_price,
        "predicted_price": forecast.predicted_price,
        "confidence_lower": forecast.confidence_lower,
        "confidence_upper": forecast.confidence_upper,
        "direction": forecast.direction,
        "confidence_score": forecast.confidence_score,
        "skill": _skill_values(forecast.skill),
        "note": forecast.note,
        "published_at": forecast.published_at,
    }


def _forecast(row: Row) -> Forecast:
    return Forecast(
        id=str(row.id),
        symbol=row.symbol,
        timeframe=Timeframe(row.timeframe),
        last_price=row.last_price,
        predicted_price=row.predicted_price,
        confidence_lower=row.confidence_lower,
        confidence_upper=row.confidence_upper,
        direction=Direction(row.direction),
        confidence_score=row.confidence_score,
        model=row.model,
        model_version=row.model_version,
        skill=Skill(**row.skill),
        as_of=row.as_of,
        published_at=row.published_at,
        note=row.note,
    )
