"""Simulation messages to quant's payoffs and processes: a message has the fields of the dataclass of its name."""

import dataclasses
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from quantmesh.api.pricing.v1 import simulation_pb2 as pb
from quantmesh.pricing.core.errors import InvalidArgument
from quantmesh.pricing.core.simulate import Simulation
from quantmesh.quant.errors import DomainError
from quantmesh.quant.monte_carlo import PAYOFFS, PROCESSES, PiecewiseConstant

_PATHS = 65_536
_STEPS = 252
_SAMPLERS = {pb.SAMPLER_UNSPECIFIED: "sobol", pb.SAMPLER_SOBOL: "sobol", pb.SAMPLER_PSEUDO: "pseudo"}


def simulation_of(request: pb.SimulateRequest) -> Simulation:
    """Raises InvalidArgument with the field that is wrong."""
    sampler = _SAMPLERS.get(request.sampler)
    if sampler is None:
        raise InvalidArgument("sampler", request.sampler, "SAMPLER_SOBOL or SAMPLER_PSEUDO")
    return Simulation(
        payoff=_made("payoff", request.payoff, PAYOFFS),
        process=_made("process", request.process, PROCESSES),
        paths=request.paths or _PATHS,
        steps=request.steps or _STEPS,
        sampler=sampler,
        seed=request.seed,
        greeks=request.greeks,
    )


def _made(name: str, message: Message, kinds: dict[str, type]) -> Any:
    kind = message.WhichOneof("kind")
    if kind is None:
        raise InvalidArgument(name, "none", f"one of {', '.join(kinds)}")
    chosen = getattr(message, kind)
    try:
        values = {field.name: _value(chosen, field) for field in chosen.DESCRIPTOR.fields if _is_given(chosen, field)}
        if "correlation" in values:
            values["correlation"] = _rows(values["correlation"], len(values.get("spots", ())), f"{name}.correlation")
        if "volatilities" in values and kind == "local_volatility":
            values["volatilities"] = _rows(values["volatilities"], len(values.get("spots", ())), f"{name}.volatilities")
        for field in dataclasses.fields(kinds[kind]):
            if field.default is dataclasses.MISSING and field.name not in values:
                raise InvalidArgument(f"{name}.{field.name}", "none", f"given, for {kind}")
        return kinds[kind](**values)
    except DomainError as error:
        row = "" if error.index is None else f"[{error.index}]"
        raise InvalidArgument(f"{name}.{error.argument}{row}", error.value, error.requirement) from error


def _is_given(message: Message, field: FieldDescriptor) -> bool:
    """What a client left out takes the dataclass's default, where it can be told from a zero."""
    if field.is_repeated:
        return bool(getattr(message, field.name)) or field.name in {"spots", "weights"}
    if field.has_presence:
        return message.HasField(field.name)
    return field.enum_type is None or bool(getattr(message, field.name))


def _value(message: Message, field: FieldDescriptor) -> Any:
    value = getattr(message, field.name)
    if field.enum_type is not None:
        # MONITORING_DISCRETE of the enum Monitoring is "discrete".
        known = field.enum_type.values_by_number.get(value)
        prefix = field.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
        return f"number {value}" if known is None else known.name.removeprefix(prefix).lower()
    if field.is_repeated:
        return tuple(
            _curve(item, f"{field.name}[{index}]") if isinstance(item, pb.Curve) else item
            for index, item in enumerate(value)
        )
    return _curve(value, field.name) if isinstance(value, pb.Curve) else value


def _curve(curve: pb.Curve, field: str) -> float | PiecewiseConstant:
    if len(curve.values) == 1 and not curve.times:
        return curve.values[0]
    try:
        return PiecewiseConstant(tuple(curve.times), tuple(curve.values))
    except DomainError as error:
        raise DomainError(f"{field}.{error.argument}", error.value, error.requirement) from error


def _rows(values: tuple[float, ...], columns: int, field: str) -> tuple[tuple[float, ...], ...]:
    if not columns or len(values) % columns:
        raise InvalidArgument(field, f"{len(values)} values", f"rows of {columns} values each")
    return tuple(values[start : start + columns] for start in range(0, len(values), columns))
