"""Models and surfaces from market quotes: JSON to messages and back."""

from typing import Any

from quantmesh.api.pricing.v1 import calibration_pb2, surface_pb2
from quantmesh.gateway.http.models.calibration import (
    CalibrateBody,
    LocalVolatilityBody,
    QuoteBody,
    SurfaceBody,
    SurfaceMarketBody,
)
from quantmesh.gateway.translation.common import inverse, optional
from quantmesh.gateway.translation.options import MODEL_NAMES, MODELS, OPTION_TYPES, STYLES

_PARAMETRIZATIONS = {"svi": surface_pb2.PARAMETRIZATION_SVI, "ssvi": surface_pb2.PARAMETRIZATION_SSVI}
_PARAMETRIZATION_NAMES = inverse(_PARAMETRIZATIONS)


def _quote(body: QuoteBody) -> calibration_pb2.Quote:
    quote = calibration_pb2.Quote(
        option_type=OPTION_TYPES[body.option_type],
        strike=body.strike,
        time_to_expiry=body.time_to_expiry,
        bid=body.bid,
        ask=body.ask,
    )
    if body.price is not None:
        quote.price = body.price
    if body.implied_volatility is not None:
        quote.implied_volatility = body.implied_volatility
    return quote


def calibrate_request(body: CalibrateBody) -> calibration_pb2.CalibrateRequest:
    return calibration_pb2.CalibrateRequest(
        model=MODELS[body.model],
        quotes=[_quote(quote) for quote in body.quotes],
        spot=body.spot,
        rate=body.rate,
        dividend_yield=body.dividend_yield,
        fixed=body.fixed,
        confidence=body.confidence,
    )


def calibration(answer: calibration_pb2.CalibrateResponse) -> dict[str, Any]:
    return {
        "model": MODEL_NAMES[answer.model],
        "parameters": {item.name: item.value for item in answer.parameters},
        "intervals": {
            item.name: {"lower": item.lower, "upper": item.upper} if item.HasField("lower") else None
            for item in answer.parameters
        },
        "at_bound": [item.name for item in answer.parameters if item.at_bound],
        "residuals": list(answer.residuals),
        "price_residuals": list(answer.price_residuals),
        "rmse": answer.rmse,
        "price_rmse": answer.price_rmse,
        "iterations": answer.iterations,
        "converged": answer.converged,
        "seconds": answer.seconds,
        "confidence": answer.confidence,
    }


def _market(body: SurfaceMarketBody) -> surface_pb2.SurfaceQuotes:
    return surface_pb2.SurfaceQuotes(
        quotes=[_quote(quote) for quote in body.quotes],
        spot=body.spot,
        rate=body.rate,
        dividend_yield=body.dividend_yield,
        forwards_from_parity=body.forwards == "parity",
        parametrization=_PARAMETRIZATIONS[body.parametrization],
    )


def surface_request(body: SurfaceBody) -> surface_pb2.FitSurfaceRequest:
    points = [
        surface_pb2.SurfacePoint(strike=point.strike, time_to_expiry=point.time_to_expiry) for point in body.points
    ]
    return surface_pb2.FitSurfaceRequest(market=_market(body), points=points)


def surface(answer: surface_pb2.FitSurfaceResponse) -> dict[str, Any]:
    return {
        "parametrization": _PARAMETRIZATION_NAMES[answer.parametrization],
        "smiles": [_smile(smile) for smile in answer.smiles],
        "residuals": list(answer.residuals),
        "rmse": answer.rmse,
        "arbitrage": {"butterfly": _margin(answer.butterfly), "calendar": _margin(answer.calendar)},
        "iterations": answer.iterations,
        "volatilities": list(answer.volatilities),
    }


def _smile(smile: surface_pb2.Smile) -> dict[str, Any]:
    return {
        "time_to_expiry": smile.time_to_expiry,
        "forward": smile.forward,
        "a": smile.a,
        "b": smile.b,
        "rho": smile.rho,
        "m": smile.m,
        "sigma": smile.sigma,
        "discount_factor": optional(smile, "discount_factor"),
    }


def _margin(margin: surface_pb2.ArbitrageMargin) -> dict[str, Any]:
    return {
        "value": margin.value,
        "strike": optional(margin, "strike"),
        "time_to_expiry": margin.time_to_expiry,
    }


def local_volatility_request(body: LocalVolatilityBody) -> surface_pb2.LocalVolatilityRequest:
    options = [
        surface_pb2.LocalVolatilityOption(
            option_type=OPTION_TYPES[option.option_type], strike=option.strike, time_to_expiry=option.time_to_expiry
        )
        for option in body.options
    ]
    return surface_pb2.LocalVolatilityRequest(market=_market(body), options=options, style=STYLES[body.style])


def local_volatility(answer: surface_pb2.LocalVolatilityResponse) -> dict[str, Any]:
    columns = len(answer.spots)
    values = list(answer.volatilities)
    return {
        "times": list(answer.times),
        "spots": list(answer.spots),
        "volatilities": [values[start : start + columns] for start in range(0, len(values), columns)],
        "prices": list(answer.prices),
        "surface": surface(answer.surface),
    }
