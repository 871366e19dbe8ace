"""/predictions: forecasts, the models behind them, and training."""

from collections.abc import Sequence

from quantmesh.client.encoding import given
from quantmesh.client.models.base import Page
from quantmesh.client.models.jobs import Job
from quantmesh.client.models.predictions import Forecast, TrainedModel
from quantmesh.client.transport import Transport


class Predictions:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def forecast(self, symbol: str, timeframe: str = "1d", asset_class: str = "stocks") -> Forecast:
        """`asset_class` is stocks or crypto."""
        path = f"/predictions/{asset_class}/{symbol}"
        return self._transport.call("GET", path, Forecast, query={"timeframe": timeframe})

    def get(self, forecast_id: str) -> Forecast:
        """As it was published."""
        return self._transport.call("GET", f"/predictions/{forecast_id}", Forecast)

    def models(self) -> tuple[TrainedModel, ...]:
        """All of them, the newest first."""
        return tuple(self._transport.pages("/predictions/models", Page[TrainedModel]))

    def train(self, timeframe: str, *, symbols: Sequence[str] = (), max_seconds: int | None = None) -> Job:
        """Operators may."""
        body = {"timeframe": timeframe, "symbols": [*symbols], **given(max_seconds=max_seconds)}
        return self._transport.call("POST", "/predictions/train", Job, json=body, idempotent=True)
