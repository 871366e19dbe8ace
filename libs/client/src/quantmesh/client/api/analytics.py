"""/options, /risk and /predictions: what is computed."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from quantmesh.client.models.analytics import (
    Forecast,
    OptionPrice,
    PriceBatch,
    TrainedModel,
    ValueAtRisk,
)
from quantmesh.client.models.base import Answer, Page
from quantmesh.client.models.jobs import Job
from quantmesh.client.transport import Transport

ARROW = "application/vnd.apache.arrow.stream"
# "first" and True are delta, gamma, vega, theta and rho; "all", of closed forms, those to the third order too.
GreekOrders = bool | Literal["first", "all"]


class ImpliedVolatility(Answer):
    implied_volatility: float


class Options:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def price(self, contract: Mapping[str, Any]) -> OptionPrice:
        """`contract` as the API's reference has it."""
        return self._transport.call("POST", "/options/price", OptionPrice, json=contract)

    def price_batch(
        self, columns: Mapping[str, Sequence[float] | Sequence[str] | float | str], *, greeks: GreekOrders = False
    ) -> PriceBatch:
        """Columns of one length, or scalars that count for every row; up to 65,536 rows."""
        body = {"columns": dict(columns), "greeks": greeks}
        return self._transport.call("POST", "/options/price/batch", PriceBatch, json=body)

    def price_arrow(self, stream: bytes, *, greeks: GreekOrders = False) -> bytes:
        """An Arrow stream in, an Arrow stream out, for batches of any size."""
        query = {"greeks": str(greeks).lower()}
        response = self._transport.send("POST", "/options/price/batch", query=query, content=stream, content_type=ARROW)
        return response.content

    def implied_volatility(self, contract: Mapping[str, Any]) -> float:
        """`contract` with its `price` in place of a volatility."""
        answer = self._transport.call("POST", "/options/implied-volatility", ImpliedVolatility, json=contract)
        return answer.implied_volatility


class Risk:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def value_at_risk(
        self, portfolio_id: str, *, method: str = "historical", confidence: float = 0.99, horizon_days: int = 1
    ) -> ValueAtRisk:
        body = {
            "portfolio_id": portfolio_id,
            "method": method,
            "confidence": confidence,
            "horizon_days": horizon_days,
        }
        return self._transport.call("POST", "/risk/var", ValueAtRisk, json=body)


class Predictions:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def forecast(self, symbol: str, timeframe: str = "1d", asset_class: str = "stocks") -> Forecast:
        """`asset_class` is stocks or crypto."""
        path = f"/predictions/{asset_class}/{symbol}"
        return self._transport.call("GET", path, Forecast, query={"timeframe": timeframe})

    def models(self) -> tuple[TrainedModel, ...]:
        """All of them, the newest first."""
        return tuple(self._transport.pages("/predictions/models", Page[TrainedModel]))

    def train(self, timeframe: str, *, symbols: Sequence[str] = (), max_seconds: int | None = None) -> Job:
        """Operators may."""
        body: dict[str, Any] = {"timeframe": timeframe, "symbols": [*symbols]}
        if max_seconds is not None:
            body["max_seconds"] = max_seconds
        return self._transport.call("POST", "/predictions/train", Job, json=body, idempotent=True)
