"""Messages to values and back."""

import hashlib
import json
from collections.abc import Iterable

from quantmesh.api.pricing.v1 import pricing_pb2 as pb
from quantmesh.chassis.times import to_timestamp
from quantmesh.pricing.core.errors import InvalidArgument, UnsupportedModel
from quantmesh.pricing.core.model import Contract, Priced
from quantmesh.pricing.core.ports import QuoteRecord

_SIGNS = {pb.OPTION_TYPE_CALL: 1, pb.OPTION_TYPE_PUT: -1}
_OPTION_TYPES = {pb.OPTION_TYPE_CALL: "call", pb.OPTION_TYPE_PUT: "put"}
# What a client leaves out is Black-Scholes, and European.
_MODELS = (pb.MODEL_UNSPECIFIED, pb.MODEL_BLACK_SCHOLES)
_STYLES = (pb.EXERCISE_STYLE_UNSPECIFIED, pb.EXERCISE_STYLE_EUROPEAN)
_ENGINE = "closed_form"


def check_model(model: pb.Model.ValueType, style: pb.ExerciseStyle.ValueType) -> None:
    """Raises UnsupportedModel."""
    if model not in _MODELS or style not in _STYLES:
        raise UnsupportedModel(
            _name(pb.Model.items(), model, "MODEL_"), _name(pb.ExerciseStyle.items(), style, "EXERCISE_STYLE_")
        )


def _name(items: Iterable[tuple[str, int]], value: int, prefix: str) -> str:
    return next((name.removeprefix(prefix).lower() for name, number in items if number == value), f"number {value}")


def contract_of(message: pb.Contract) -> Contract:
    sign = _SIGNS.get(message.option_type)
    if sign is None:
        raise InvalidArgument("contract.option_type", message.option_type, "OPTION_TYPE_CALL or OPTION_TYPE_PUT")
    return Contract(sign, message.spot, message.strike, message.time_to_expiry, message.rate, message.dividend_yield)


def price_response(priced: Priced, quote_id: str, *, greeks: bool) -> pb.PriceResponse:
    price, delta, gamma, vega, theta, rho = priced
    return pb.PriceResponse(
        price=price,
        greeks=pb.Greeks(delta=delta, gamma=gamma, vega=vega, theta=theta, rho=rho) if greeks else None,
        model=pb.MODEL_BLACK_SCHOLES,
        engine=_ENGINE,
        quote_id=quote_id,
    )


def canonical_inputs(request: pb.PriceRequest) -> bytes:
    """What a quote's hash is taken of: JSON with sorted keys, no spaces, and the shortest numbers that read back."""
    contract = request.contract
    inputs = {
        "dividend_yield": contract.dividend_yield,
        "model": "black_scholes",
        "option_type": _OPTION_TYPES[contract.option_type],
        "rate": contract.rate,
        "spot": contract.spot,
        "strike": contract.strike,
        "style": "european",
        "time_to_expiry": contract.time_to_expiry,
        "volatility": request.volatility,
    }
    return json.dumps(inputs, separators=(",", ":"), allow_nan=False).encode()


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def quote_record(record: QuoteRecord) -> pb.GetQuoteRecordResponse:
    return pb.GetQuoteRecordResponse(
        quote_id=str(record.quote_id),
        request=pb.PriceRequest.FromString(record.request),
        response=pb.PriceResponse.FromString(record.response),
        code_version=record.code_version,
        input_hash=record.input_hash.hex(),
        recorded_at=to_timestamp(record.recorded_at),
    )
