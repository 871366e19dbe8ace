"""Prices by simulation: JSON to messages."""

import re
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import Message

from quantmesh.api.pricing.v1 import simulation_pb2 as pb
from quantmesh.gateway.http.models.pricing_models import PARAMETERS
from quantmesh.gateway.http.models.simulation import OF_CONTRACT, Curve, CurveBody, GridBody, MonteCarloBody

_SAMPLERS = {"sobol": pb.SAMPLER_SOBOL, "pseudo": pb.SAMPLER_PSEUDO}


def simulate_request(body: MonteCarloBody) -> pb.SimulateRequest:
    request = pb.SimulateRequest(
        process=_process(body),
        paths=body.paths,
        steps=body.steps,
        sampler=_SAMPLERS[body.sampler],
        seed=body.seed,
        greeks=body.greeks,
    )
    payoff = getattr(request.payoff, body.payoff.kind)
    payoff.SetInParent()
    for name in type(body.payoff).model_fields:
        if name == "kind":
            continue
        value = getattr(body.payoff, name)
        _set(payoff, name, getattr(body, name, None) if value is None else value)
    return request


def place(field: str, body: MonteCarloBody) -> str:
    """Where the body has what pricing names by its place in the message."""
    if field == "process":
        # Of one asset for a payoff on several, or the other way round.
        return "spots"
    part, _, rest = field.partition(".")
    name = re.split(r"[.\[]", rest)[0]
    if part == "process":
        return f"grid.{rest}" if body.grid is not None and name in GridBody.model_fields else rest
    if part == "payoff" and name in OF_CONTRACT and getattr(body.payoff, name, None) is None:
        return rest
    return field


def _set(message: Message, name: str, value: Any) -> None:
    """Enums are told by name; what is None stays unset."""
    field = message.DESCRIPTOR.fields_by_name[name]
    if value is None:
        return
    if field.enum_type is not None:
        prefix = field.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
        setattr(message, name, field.enum_type.values_by_name[prefix + value.upper()].number)
    elif isinstance(value, list):
        getattr(message, name).extend(value)
    else:
        setattr(message, name, value)


def _process(body: MonteCarloBody) -> pb.Process:
    rate, dividend_yield = _curve(body.rate), _curve(body.dividend_yield)
    if body.spots is not None:
        yields = body.dividend_yields or [0.0] * len(body.spots)
        return pb.Process(
            correlated_assets=pb.CorrelatedAssetsProcess(
                spots=body.spots,
                rate=rate,
                dividend_yields=map(_curve, yields),
                volatilities=map(_curve, body.volatilities or ()),
                correlation=_flat(body.correlation or ()),
            )
        )
    spot = body.spot or 0.0
    if body.grid is not None:
        return pb.Process(
            local_volatility=pb.LocalVolatilityProcess(
                spot=spot,
                rate=rate,
                dividend_yield=dividend_yield,
                times=body.grid.times,
                spots=body.grid.spots,
                volatilities=_flat(body.grid.volatilities),
            )
        )
    if body.model == "heston":
        heston = pb.HestonProcess(spot=spot, rate=rate, dividend_yield=dividend_yield)
        for name in PARAMETERS["heston"]:
            setattr(heston, name, getattr(body, name))
        return pb.Process(heston=heston)
    return pb.Process(
        geometric_brownian_motion=pb.GeometricBrownianMotionProcess(
            spot=spot, rate=rate, dividend_yield=dividend_yield, volatility=_curve(body.volatility or 0.0)
        )
    )


def _curve(curve: Curve) -> pb.Curve:
    if isinstance(curve, CurveBody):
        return pb.Curve(times=curve.times, values=curve.values)
    return pb.Curve(values=[curve])


def _flat(rows: Iterable[list[float]]) -> list[float]:
    return [value for row in rows for value in row]
