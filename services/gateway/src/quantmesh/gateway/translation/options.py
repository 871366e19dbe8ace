"""Option pricing: JSON to messages and back."""

from typing import Any

from quantmesh.api.pricing.v1 import pricing_pb2 as pb
from quantmesh.gateway.http.models.options import ImpliedVolatilityBody, PriceBody
from quantmesh.gateway.translation.common import finite, instant, inverse

MODELS = {"black_scholes": pb.MODEL_BLACK_SCHOLES}
STYLES = {"european": pb.EXERCISE_STYLE_EUROPEAN, "american": pb.EXERCISE_STYLE_AMERICAN}
OPTION_TYPES = {"call": pb.OPTION_TYPE_CALL, "put": pb.OPTION_TYPE_PUT}
_MODEL_NAMES = inverse(MODELS)
_STYLE_NAMES = inverse(STYLES)
_OPTION_TYPE_NAMES = inverse(OPTION_TYPES)


def price_request(body: PriceBody, years: float) -> pb.PriceRequest:
    """`years` is the time to expiry, given or worked out from `expiry`."""
    return pb.PriceRequest(
        model=MODELS[body.model],
        contract=pb.Contract(
            option_type=OPTION_TYPES[body.option_type],
            style=STYLES[body.style],
            spot=body.spot,
            strike=body.strike,
            time_to_expiry=years,
            rate=body.rate,
            dividend_yield=body.dividend_yield,
        ),
        volatility=body.volatility,
        greeks=body.greeks,
    )


def price(answer: pb.PriceResponse) -> dict[str, Any]:
    return {
        "price": answer.price,
        "model": _MODEL_NAMES[answer.model],
        "engine": answer.engine,
        "greeks": greeks(answer.greeks) if answer.HasField("greeks") else None,
        "standard_error": answer.standard_error if answer.HasField("standard_error") else None,
        "quote_id": answer.quote_id,
    }


def greeks(values: pb.Greeks) -> dict[str, float | None]:
    return {
        "delta": finite(values.delta),
        "gamma": finite(values.gamma),
        "vega": finite(values.vega),
        "theta": finite(values.theta),
        "rho": finite(values.rho),
    }


def implied_volatility_request(body: ImpliedVolatilityBody, years: float) -> pb.ImpliedVolatilityRequest:
    """Of a scalar body, whose fields the model has found to be there."""
    return pb.ImpliedVolatilityRequest(
        model=MODELS[body.model],
        contract=pb.Contract(
            option_type=OPTION_TYPES[body.option_type or ""],
            style=STYLES[body.style],
            spot=body.spot or 0.0,
            strike=body.strike or 0.0,
            time_to_expiry=years,
            rate=body.rate or 0.0,
            dividend_yield=body.dividend_yield or 0.0,
        ),
        price=body.price or 0.0,
    )


def batch_options(model: str, style: str, *, greeks: bool = False) -> pb.BatchOptions:
    return pb.BatchOptions(model=MODELS[model], style=STYLES[style], greeks=greeks)


def quote_record(record: pb.GetQuoteRecordResponse) -> dict[str, Any]:
    contract = record.request.contract
    return {
        "quote_id": record.quote_id,
        "request": {
            "model": _MODEL_NAMES[record.request.model],
            "style": _STYLE_NAMES[contract.style],
            "option_type": _OPTION_TYPE_NAMES[contract.option_type],
            "spot": contract.spot,
            "strike": contract.strike,
            "time_to_expiry": contract.time_to_expiry,
            "rate": contract.rate,
            "dividend_yield": contract.dividend_yield,
            "volatility": record.request.volatility,
            "greeks": record.request.greeks,
        },
        "response": price(record.response),
        "code_version": record.code_version,
        "input_hash": record.input_hash,
        "recorded_at": instant(record, "recorded_at"),
    }
