"""Messages to values and back."""

import hashlib
import json
from typing import Any, Literal

from quantmesh.api.pricing.v1 import pricing_pb2 as pb
from quantmesh.chassis.times import to_timestamp
from quantmesh.pricing.core.errors import InvalidArgument
from quantmesh.pricing.core.model import GreekOrders, Priced
from quantmesh.pricing.core.models import (
    FORWARD_CONTRACT,
    SPOT_CONTRACT,
    VOLATILITY,
    PricingModel,
    find_model,
    with_cash_dividends,
)
from quantmesh.pricing.core.ports import QuoteRecord

SIGNS = {pb.OPTION_TYPE_CALL: 1, pb.OPTION_TYPE_PUT: -1}
_OPTION_TYPES = {pb.OPTION_TYPE_CALL: "call", pb.OPTION_TYPE_PUT: "put"}
# What a client leaves out is Black-Scholes, and European.
_MODELS = {pb.MODEL_UNSPECIFIED: "black_scholes"} | {
    number: name.removeprefix("MODEL_").lower() for name, number in pb.Model.items() if number
}
STYLES: dict[int, Literal["european", "american"]] = {
    pb.EXERCISE_STYLE_UNSPECIFIED: "european",
    pb.EXERCISE_STYLE_EUROPEAN: "european",
    pb.EXERCISE_STYLE_AMERICAN: "american",
}
_ACCURACIES = {number: name.removeprefix("ACCURACY_").lower() if number else "" for name, number in pb.Accuracy.items()}


def model_name(model: pb.Model.ValueType) -> str:
    """A number that the interface does not know is told as it came."""
    return _MODELS.get(model, f"number {model}")


def model_of(
    model: pb.Model.ValueType,
    style: pb.ExerciseStyle.ValueType,
    accuracy: pb.Accuracy.ValueType = pb.ACCURACY_UNSPECIFIED,
) -> PricingModel:
    """Raises UnsupportedModel."""
    return find_model(
        model_name(model),
        STYLES.get(style, f"number {style}"),
        _ACCURACIES.get(accuracy, f"number {accuracy}"),
    )


def model_asked(request: pb.PriceRequest) -> PricingModel:
    """With the contract's cash dividends. Raises UnsupportedModel, InvalidArgument."""
    model = model_of(request.model, request.contract.style, request.accuracy)
    dividends = request.contract.dividends
    if not dividends:
        return model
    times, amounts = zip(*((dividend.time, dividend.amount) for dividend in dividends), strict=True)
    return with_cash_dividends(model, times, amounts)


def contract_of(contract: pb.Contract, model: PricingModel) -> tuple[int, tuple[float, ...]]:
    """The sign, and what the model asks of a contract, in its order. Raises InvalidArgument."""
    sign = SIGNS.get(contract.option_type)
    if sign is None:
        raise InvalidArgument("contract.option_type", contract.option_type, "OPTION_TYPE_CALL or OPTION_TYPE_PUT")
    for name in _UNASKED[model.contract]:
        if value := getattr(contract, name):
            raise InvalidArgument(f"contract.{name}", value, f"left out: {model.name} does not take it")
    return sign, tuple(getattr(contract, name) for name in model.contract)


_UNASKED: dict[tuple[str, ...], list[str]] = {
    asked: [name for name in {*SPOT_CONTRACT, *FORWARD_CONTRACT} if name not in asked]
    for asked in (SPOT_CONTRACT, FORWARD_CONTRACT)
}


def arguments_of(request: pb.PriceRequest, model: PricingModel) -> tuple[int, tuple[float, ...]]:
    """As `contract_of`, with the model's parameters behind."""
    sign, contract = contract_of(request.contract, model)
    return sign, (*contract, *_parameters(request, model))


def _parameters(request: pb.PriceRequest, model: PricingModel) -> tuple[float, ...]:
    if model.parameters == VOLATILITY:
        return (request.volatility,)
    own = getattr(request, model.name)
    return tuple(getattr(own, name) for name in model.parameters)


def orders_of(asked: pb.PriceRequest | pb.BatchOptions) -> GreekOrders:
    if asked.higher_orders:
        return "all"
    return "first" if asked.greeks else "none"


def price_response(request: pb.PriceRequest, model: PricingModel, priced: Priced, quote_id: str) -> pb.PriceResponse:
    return pb.PriceResponse(
        price=priced.price,
        greeks=pb.Greeks(**priced.greeks) if priced.greeks else None,
        model=request.model or pb.MODEL_BLACK_SCHOLES,
        engine=model.engine,
        quote_id=quote_id,
    )


def canonical_inputs(request: pb.PriceRequest) -> bytes:
    """What a quote's hash is taken of: JSON with sorted keys, no spaces, and the shortest numbers that read back."""
    model = model_of(request.model, request.contract.style, request.accuracy)
    inputs: dict[str, Any] = {
        "model": model.name,
        "option_type": _OPTION_TYPES[request.contract.option_type],
        "style": model.style,
        **dict(zip(model.arguments, arguments_of(request, model)[1], strict=True)),
    }
    if request.accuracy:
        inputs["accuracy"] = _ACCURACIES[request.accuracy]
    if request.contract.dividends:
        inputs["dividends"] = [[dividend.time, dividend.amount] for dividend in request.contract.dividends]
    return json.dumps(inputs, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


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
