"""SurfaceService over gRPC."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from grpc.aio import ServicerContext

from quantmesh.api.pricing.v1 import surface_pb2 as pb
from quantmesh.api.pricing.v1.surface_pb2_grpc import SurfaceServiceServicer
from quantmesh.chassis.identity import requires
from quantmesh.pricing.adapters import metrics
from quantmesh.pricing.adapters.quotes import market_quotes, signs_of
from quantmesh.pricing.adapters.translate import STYLES
from quantmesh.pricing.core.errors import InvalidArgument
from quantmesh.pricing.core.fit_surface import FittedSurface, Parametrization, fit_surface
from quantmesh.pricing.core.market_quotes import Floats
from quantmesh.pricing.core.price_local_volatility import check_count, price_local_volatility
from quantmesh.quant.errors import DomainError
from quantmesh.quant.svi import Margin

_MOST_POINTS = 10_000
_PARAMETRIZATIONS: dict[int, Parametrization] = {
    pb.PARAMETRIZATION_UNSPECIFIED: "svi",
    pb.PARAMETRIZATION_SVI: "svi",
    pb.PARAMETRIZATION_SSVI: "ssvi",
}
_NUMBERS = {"svi": pb.PARAMETRIZATION_SVI, "ssvi": pb.PARAMETRIZATION_SSVI}


class SurfaceRpc(SurfaceServiceServicer):
    @requires("pricing:use")
    async def FitSurface(
        self, request: pb.FitSurfaceRequest, context: ServicerContext[Any, Any]
    ) -> pb.FitSurfaceResponse:
        if len(request.points) > _MOST_POINTS:
            raise InvalidArgument("points", len(request.points), f"at most {_MOST_POINTS} of them")
        return await asyncio.to_thread(_fitted, request)

    @requires("pricing:use")
    async def LocalVolatility(
        self, request: pb.LocalVolatilityRequest, context: ServicerContext[Any, Any]
    ) -> pb.LocalVolatilityResponse:
        return await asyncio.to_thread(_priced, request)


def _fitted(request: pb.FitSurfaceRequest) -> pb.FitSurfaceResponse:
    fitted = _fit(request.market)
    return _surface(fitted, _volatilities(fitted, request.points))


def _priced(request: pb.LocalVolatilityRequest) -> pb.LocalVolatilityResponse:
    exercise = STYLES.get(request.style)
    if exercise is None:
        raise InvalidArgument("style", request.style, "EXERCISE_STYLE_EUROPEAN or _AMERICAN")
    check_count(len(request.options), exercise)
    signs = signs_of((option.option_type for option in request.options), "options")
    strikes = np.array([option.strike for option in request.options], np.float64)
    times = np.array([option.time_to_expiry for option in request.options], np.float64)
    fitted = _fit(request.market)
    local, prices = price_local_volatility(fitted, request.market.rate, signs, strikes, times, exercise)
    return pb.LocalVolatilityResponse(
        times=local.times,
        spots=local.spots,
        volatilities=local.volatilities.ravel(),
        prices=prices,
        surface=_surface(fitted, np.empty(0)),
    )


def _fit(market: pb.SurfaceQuotes) -> FittedSurface:
    parametrization = _PARAMETRIZATIONS.get(market.parametrization)
    if parametrization is None:
        raise InvalidArgument("parametrization", market.parametrization, "PARAMETRIZATION_SVI or _SSVI")
    fitted = fit_surface(
        market_quotes(market.quotes, market.spot, market.rate, market.dividend_yield),
        forwards_from_parity=market.forwards_from_parity,
        parametrization=parametrization,
    )
    metrics.CALIBRATION_ERROR.labels(parametrization).observe(fitted.fit.rmse)
    return fitted


def _volatilities(fitted: FittedSurface, points: Sequence[pb.SurfacePoint]) -> Floats:
    strikes = np.array([point.strike for point in points], np.float64)
    times = np.array([point.time_to_expiry for point in points], np.float64)
    try:
        return np.atleast_1d(fitted.fit.surface.volatility(strikes, times)) if strikes.size else strikes
    except DomainError as error:
        raise InvalidArgument(f"points[{error.index}].{error.argument}", error.value, error.requirement) from error


def _surface(fitted: FittedSurface, volatilities: Floats) -> pb.FitSurfaceResponse:
    fit = fitted.fit
    smiles = [
        pb.Smile(**{name: float(getattr(fit.surface, name)[row]) for name in _SMILE})
        for row in range(fit.surface.time_to_expiry.size)
    ]
    if fitted.discount_factors is not None:
        for smile, factor in zip(smiles, fitted.discount_factors, strict=True):
            smile.discount_factor = factor
    return pb.FitSurfaceResponse(
        parametrization=_NUMBERS[fit.parametrization],
        smiles=smiles,
        residuals=fit.residual,
        rmse=fit.rmse,
        butterfly=_margin(fit.arbitrage.butterfly),
        calendar=_margin(fit.arbitrage.calendar),
        iterations=fit.iterations,
        volatilities=volatilities,
    )


_SMILE = ("time_to_expiry", "forward", "a", "b", "rho", "m", "sigma")


def _margin(margin: Margin) -> pb.ArbitrageMargin:
    is_in_a_wing = not 0.0 < margin.strike < math.inf
    return pb.ArbitrageMargin(
        value=margin.value, strike=None if is_in_a_wing else margin.strike, time_to_expiry=margin.time_to_expiry
    )
