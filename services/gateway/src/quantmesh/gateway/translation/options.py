"""Option pricing: JSON to messages and back."""

from typing import Any

from google.protobuf.message import Message

from quantmesh.api.pricing.v1 import pricing_pb2 as pb
from quantmesh.gateway.http.models.implied_volatility import ImpliedVolatilityBody
from quantmesh.gateway.http.models.options import PriceBody
from quantmesh.gateway.http.models.pricing_models import ON_FORWARD, PARAMETERS, GreekOrders
from quantmesh.gateway.translation.common import finite, instant, inverse, optional

MODELS = {
    "black_scholes": pb.MODEL_BLACK_SCHOLES,
    "black_76": pb.MODEL_BLACK_76,
    "bachelier": pb.MODEL_BACHELIER,
    "heston": pb.MODEL_HESTON,
    "bates": pb.MODEL_BATES,
    "sabr": pb.MODEL_SABR,
    "sabr_normal": pb.MODEL_SABR_NORMAL,
}
STYLES = {"european": pb.EXERCISE_STYLE_EUROPEAN, "american": pb.EXERCISE_STYLE_AMERICAN}
OPTION_TYPES = {"call": pb.OPTION_TYPE_CALL, "put": pb.OPTION_TYPE_PUT}
MODEL_NAMES = inverse(MODELS)
STYLE_NAMES = inverse(STYLES)
OPTION_TYPE_NAMES = inverse(OPTION_TYPES)
ACCURACIES = {
    None: pb.ACCURACY_UNSPECIFIED,
    "fast": pb.ACCURACY_FAST,
    "accurate": pb.ACCURACY_ACCURATE,
    "high_precision": pb.ACCURACY_HIGH_PRECISION,
}
# Whose parameters have a message of the model's name.
_OWN_PARAMETERS = frozenset(name for name, parameters in PARAMETERS.items() if parameters != ("volatility",))
_ACCURACY_NAMES = inverse({name: number for name, number in ACCURACIES.items() if name is not None})


def price_request(body: PriceBody, years: float) -> pb.PriceRequest:
    """`years` is the time to expiry, given or worked out from `expiry`."""
    request = pb.PriceRequest(
        model=MODELS[body.model],
        contract=_contract(body, years),
        volatility=body.volatility or 0.0,
        greeks=bool(body.greeks),
        higher_orders=body.greeks == "all",
        accuracy=ACCURACIES[body.accuracy],
    )
    for dividend in body.dividends:
        request.contract.dividends.add(time=dividend.time, amount=dividend.amount)
    if body.model in _OWN_PARAMETERS:
        parameters = getattr(request, body.model)
        for name in PARAMETERS[body.model]:
            setattr(parameters, name, getattr(body, name) or 0.0)
    return request


def _contract(body: PriceBody | ImpliedVolatilityBody, years: float) -> pb.Contract:
    """What the model has found to be there; what it does not need is 0, as an absent number is in a message."""
    return pb.Contract(
        option_type=OPTION_TYPES[body.option_type or ""],
        style=STYLES[body.style],
        spot=body.spot or 0.0,
        forward=body.forward or 0.0,
        strike=body.strike or 0.0,
        time_to_expiry=years,
        rate=body.rate or 0.0,
        dividend_yield=body.dividend_yield or 0.0,
    )


def price(answer: pb.PriceResponse) -> dict[str, Any]:
    return {
        "price": answer.price,
        "model": MODEL_NAMES[answer.model],
        "engine": answer.engine,
        "greeks": greeks(answer.greeks) if answer.HasField("greeks") else None,
        "standard_error": optional(answer, "standard_error"),
        "quote_id": answer.quote_id,
    }


def greeks(values: Message) -> dict[str, float | None]:
    """Those of pb.Greeks that were answered."""
    names = [field.name for field in values.DESCRIPTOR.fields if not field.has_presence or values.HasField(field.name)]
    return {name: finite(getattr(values, name)) for name in names}


def implied_volatility_request(body: ImpliedVolatilityBody, years: float) -> pb.ImpliedVolatilityRequest:
    """Of a scalar body."""
    return pb.ImpliedVolatilityRequest(
        model=MODELS[body.model], contract=_contract(body, years), price=body.price or 0.0
    )


def _dividends(contract: pb.Contract) -> list[dict[str, float]]:
    return [{"time": dividend.time, "amount": dividend.amount} for dividend in contract.dividends]


def batch_options(
    model: str, style: str, accuracy: str | None = None, *, greeks: GreekOrders = False
) -> pb.BatchOptions:
    return pb.BatchOptions(
        model=MODELS[model],
        style=STYLES[style],
        greeks=bool(greeks),
        higher_orders=greeks == "all",
        accuracy=ACCURACIES[accuracy],
    )


def quote_record(record: pb.GetQuoteRecordResponse) -> dict[str, Any]:
    request, contract = record.request, record.request.contract
    model = MODEL_NAMES[request.model]
    on_forward = {"forward": contract.forward}
    on_spot = {"spot": contract.spot, "dividend_yield": contract.dividend_yield}
    own = getattr(request, model) if model in _OWN_PARAMETERS else request
    return {
        "quote_id": record.quote_id,
        "request": {
            "model": model,
            "style": STYLE_NAMES[contract.style],
            "option_type": OPTION_TYPE_NAMES[contract.option_type],
            **(on_forward if model in ON_FORWARD else on_spot),
            "strike": contract.strike,
            "time_to_expiry": contract.time_to_expiry,
            "rate": contract.rate,
            **{name: getattr(own, name) for name in PARAMETERS.get(model, ())},
            **({"dividends": _dividends(contract)} if contract.dividends else {}),
            **({"accuracy": _ACCURACY_NAMES[request.accuracy]} if request.accuracy else {}),
            "greeks": "all" if request.higher_orders else request.greeks,
        },
        "response": price(record.response),
        "code_version": record.code_version,
        "input_hash": record.input_hash,
        "recorded_at": instant(record, "recorded_at"),
    }
