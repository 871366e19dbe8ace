"""/options: prices, implied volatilities, simulations, calibrations and surfaces."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict, Unpack

from quantmesh.client.api.jobs import Jobs, OnProgress
from quantmesh.client.encoding import given
from quantmesh.client.models.calibration import Calibration, LocalVolatility, VolatilitySurface
from quantmesh.client.models.options import (
    ImpliedVolatilities,
    ImpliedVolatility,
    OptionPrice,
    PriceBatch,
    QuoteRecord,
)
from quantmesh.client.models.simulation import Simulation
from quantmesh.client.transport import Transport

ARROW = "application/vnd.apache.arrow.stream"
# "first" and True are delta, gamma, vega, theta and rho; "all", of closed forms, those to the third order too.
GreekOrders = bool | Literal["first", "all"]
# Each of one length, or a scalar that counts for every row.
Columns = Mapping[str, Sequence[float] | Sequence[str] | float | str]
# As the API's reference has them.
Terms = Mapping[str, Any]


class Model(TypedDict, total=False):
    """black_scholes and european where absent; `accuracy` is of American exercise."""

    model: str
    style: str
    accuracy: str


class Underlying(TypedDict):
    """Rates and yields per year."""

    spot: float
    rate: NotRequired[float]
    dividend_yield: NotRequired[float]


class SurfaceMarket(Underlying, total=False):
    """`forwards` from "carry" or put-call "parity"; `parametrization` "svi" or "ssvi"."""

    forwards: str
    parametrization: str


class Options:
    def __init__(self, transport: Transport, jobs: Jobs) -> None:
        self._transport = transport
        self._jobs = jobs

    def price(self, contract: Terms) -> OptionPrice:
        """`contract` as the API's reference has it."""
        return self._transport.call("POST", "/options/price", OptionPrice, json=contract)

    def price_batch(self, columns: Columns, *, greeks: GreekOrders = False, **model: Unpack[Model]) -> PriceBatch:
        """Up to 65,536 rows."""
        body = {"columns": dict(columns), "greeks": greeks, **model}
        return self._transport.call("POST", "/options/price/batch", PriceBatch, json=body)

    def price_arrow(self, stream: bytes, *, greeks: GreekOrders = False, **model: Unpack[Model]) -> bytes:
        """An Arrow stream in, an Arrow stream out, for batches of any size."""
        query = {"greeks": str(greeks).lower(), **model}
        response = self._transport.send("POST", "/options/price/batch", query=query, content=stream, content_type=ARROW)
        return response.content

    def implied_volatility(self, contract: Terms) -> float:
        """`contract` with its `price` in place of a volatility."""
        answer = self._transport.call("POST", "/options/implied-volatility", ImpliedVolatility, json=contract)
        return answer.implied_volatility

    def implied_volatilities(
        self, columns: Columns, *, model: str = "black_scholes", style: str = "european"
    ) -> ImpliedVolatilities:
        """Of columns with a `price`; up to 65,536 rows."""
        body = {"columns": dict(columns), "model": model, "style": style}
        return self._transport.call("POST", "/options/implied-volatility", ImpliedVolatilities, json=body)

    def quote(self, quote_id: str) -> QuoteRecord:
        """A price of one's own, explained; it is kept a moment after it was answered."""
        return self._transport.call("GET", f"/options/quotes/{quote_id}", QuoteRecord)

    def monte_carlo(self, simulation: Terms, *, on_progress: OnProgress | None = None) -> Simulation:
        """A payoff and its process as the API's reference has them. Long work is a job, which is waited for."""
        response = self._transport.send("POST", "/options/monte-carlo", json=simulation, idempotent=True)
        return self._jobs.outcome(response, Simulation, on_progress)

    def calibrate(
        self,
        model: str,
        quotes: Sequence[Terms],
        *,
        fixed: Mapping[str, float] | None = None,
        confidence: float | None = None,
        **underlying: Unpack[Underlying],
    ) -> Calibration:
        """`fixed` parameters keep their value; `confidence` is of the others' intervals."""
        body = {"model": model, "quotes": [*quotes], **given(fixed=fixed, confidence=confidence), **underlying}
        return self._transport.call("POST", "/options/calibrate", Calibration, json=body)

    def surface(
        self, quotes: Sequence[Terms], *, points: Sequence[Terms] = (), **market: Unpack[SurfaceMarket]
    ) -> VolatilitySurface:
        """Without arbitrage; `points` are where its volatility is wanted."""
        body = {"quotes": [*quotes], "points": [*points], **market}
        return self._transport.call("POST", "/options/surface", VolatilitySurface, json=body)

    def local_volatility(
        self,
        quotes: Sequence[Terms],
        *,
        options: Sequence[Terms] = (),
        style: str = "european",
        **market: Unpack[SurfaceMarket],
    ) -> LocalVolatility:
        """The diffusion that reprices a surface, and prices of `options` on its grid."""
        body = {"quotes": [*quotes], "options": [*options], "style": style, **market}
        return self._transport.call("POST", "/options/local-volatility", LocalVolatility, json=body)
