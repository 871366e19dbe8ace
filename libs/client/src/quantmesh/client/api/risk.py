"""/risk: what a book could lose, what it requires, and better weights for it; limits are next door."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict, Unpack

from quantmesh.client.encoding import given
from quantmesh.client.models.margin import Margin
from quantmesh.client.models.optimization import Frontier, Optimization
from quantmesh.client.models.risk import Backtest, Exposure, Holding, Stress, ValueAtRisk
from quantmesh.client.transport import Transport

# The id of a portfolio of one's own, or positions given here.
Book = str | Sequence[Holding]


class Moment(TypedDict, total=False):
    """Of market time and of system time; now where absent."""

    as_of: datetime
    known_at: datetime


class Measured(Moment, total=False):
    """`rate` is per year, for options."""

    rate: float


class Distribution(Measured, total=False):
    """How losses are distributed; which of them counts depends on the method, as the API's reference has it."""

    observations: int
    covariance: str
    distribution: str
    degrees_of_freedom: float
    paths: int
    seed: int


class AllocationOptions(Moment, total=False):
    """`constraints` as the API's reference has them."""

    constraints: Mapping[str, Any]
    risk_free_rate: float
    covariance: str
    observations: int


class ObjectiveOptions(AllocationOptions, total=False):
    """Of single objectives; `views` as the API's reference has them."""

    risk_aversion: float
    confidence: float
    views: Sequence[Mapping[str, Any]]
    market_weights: Mapping[str, float]
    budgets: Mapping[str, float]


class Risk:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def value_at_risk(
        self,
        book: Book,
        *,
        method: str = "historical",
        confidence: float = 0.99,
        horizon_days: int = 1,
        **distribution: Unpack[Distribution],
    ) -> ValueAtRisk:
        """`method` is historical, filtered_historical, parametric or monte_carlo."""
        body = {
            **_of(book),
            "method": method,
            "confidence": confidence,
            "horizon_days": horizon_days,
            **distribution,
        }
        return self._transport.call("POST", "/risk/var", ValueAtRisk, json=body)

    def stress(
        self,
        book: Book,
        *,
        episodes: Sequence[str] = (),
        shocks: Mapping[str, Mapping[str, float]] | None = None,
        rate_shift: float = 0.0,
        elapsed_years: float = 0.0,
        reverse: Mapping[str, Any] | None = None,
        **measured: Unpack[Measured],
    ) -> Stress:
        """Episodes of the past such as covid, `shocks` by symbol, the likeliest move that loses so much, or several.

        An unknown episode answers the names of all.
        """
        body = {
            **_of(book),
            "episodes": [*episodes],
            "rate_shift": rate_shift,
            "elapsed_years": elapsed_years,
            **given(shocks=shocks, reverse=reverse),
            **measured,
        }
        return self._transport.call("POST", "/risk/stress", Stress, json=body)

    def margin(
        self,
        book: Book,
        rule: str = "regulation_t",
        *,
        equity: Decimal | None = None,
        broad_indices: Sequence[str] = (),
        **measured: Unpack[Measured],
    ) -> Margin:
        """`rule` is regulation_t or portfolio; the equity is a portfolio's own where it is not given."""
        body = {**_of(book), "rule": rule, "broad_indices": [*broad_indices], **given(equity=equity), **measured}
        return self._transport.call("POST", "/risk/margin", Margin, json=body)

    def exposure(
        self,
        book: Book,
        *,
        daily_volumes: Mapping[str, float] | None = None,
        participation_rate: float | None = None,
        **measured: Unpack[Measured],
    ) -> Exposure:
        """Greeks by underlying, concentration and liquidity; volumes that are not given are market's."""
        chosen = given(daily_volumes=daily_volumes, participation_rate=participation_rate)
        return self._transport.call("POST", "/risk/exposure", Exposure, json={**_of(book), **chosen, **measured})

    def backtest(
        self,
        book: Book,
        *,
        method: str = "historical",
        confidence: float = 0.99,
        days: int = 250,
        window: int = 500,
        seed: int = 0,
        **measured: Unpack[Measured],
    ) -> Backtest:
        """Forecasts remade for each of the last `days`, from the `window` of returns before it; `seed` is that of the
        simulated p-values."""
        body = {
            **_of(book),
            "method": method,
            "confidence": confidence,
            "days": days,
            "window": window,
            "seed": seed,
            **measured,
        }
        return self._transport.call("POST", "/risk/backtest", Backtest, json=body)

    def backtest_forecasts(
        self,
        profits: Sequence[float],
        value_at_risk: Sequence[float],
        *,
        expected_shortfall: Sequence[float] | None = None,
        confidence: float = 0.99,
        seed: int = 0,
    ) -> Backtest:
        """Forecasts of one's own beside the profits of their days, negative where they lost."""
        body = {
            "profits": [*profits],
            "value_at_risk": [*value_at_risk],
            "confidence": confidence,
            "seed": seed,
            **given(expected_shortfall=expected_shortfall),
        }
        return self._transport.call("POST", "/risk/backtest", Backtest, json=body)

    def optimize(
        self,
        objective: str,
        symbols: Sequence[str] = (),
        *,
        portfolio_id: str | None = None,
        **options: Unpack[ObjectiveOptions],
    ) -> Optimization:
        """Of symbols, or of a portfolio's holdings."""
        body = {"objective": objective, "symbols": [*symbols], **given(portfolio_id=portfolio_id), **options}
        return self._transport.call("POST", "/risk/optimize", Optimization, json=body)

    def frontier(
        self,
        symbols: Sequence[str] = (),
        *,
        portfolio_id: str | None = None,
        points: int = 25,
        **options: Unpack[AllocationOptions],
    ) -> Frontier:
        """The least variance for each expected return."""
        body = {"symbols": [*symbols], "points": points, **given(portfolio_id=portfolio_id), **options}
        return self._transport.call("POST", "/risk/frontier", Frontier, json=body)


def _of(book: Book) -> dict[str, Any]:
    return {"portfolio_id": book} if isinstance(book, str) else {"positions": [*book]}
