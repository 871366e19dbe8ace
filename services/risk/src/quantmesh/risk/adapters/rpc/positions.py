"""Positions and their options: messages to values and back."""

import math

from quantmesh.api.pricing.v1 import pricing_pb2
from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.chassis.decimals import to_proto
from quantmesh.risk.core.errors import OutOfDomain, UnknownChoice
from quantmesh.risk.core.model import Position
from quantmesh.risk.core.options import Option, OptionType, Style

_OPTION_TYPES: dict[pricing_pb2.OptionType.ValueType, OptionType] = {
    pricing_pb2.OPTION_TYPE_CALL: "call",
    pricing_pb2.OPTION_TYPE_PUT: "put",
}
_STYLES: dict[pricing_pb2.ExerciseStyle.ValueType, Style] = {
    pricing_pb2.EXERCISE_STYLE_EUROPEAN: "european",
    pricing_pb2.EXERCISE_STYLE_AMERICAN: "american",
}
_OPTION_TYPE_NUMBERS = {name: number for number, name in _OPTION_TYPES.items()}
_STYLE_NUMBERS = {name: number for number, name in _STYLES.items()}
# Far beyond any market, and within the domain of every formula.
_MOST = {"strike": 1e12, "time_to_expiry": 100.0, "volatility": 100.0, "multiplier": 1e9}


def option_of(message: pb.PositionOption, place: str) -> Option:
    """Raises OutOfDomain and UnknownChoice with the field below `place`."""
    if message.option_type not in _OPTION_TYPES:
        raise UnknownChoice(f"{place}.option_type", f"must be one of {', '.join(_OPTION_TYPES.values())}")
    if message.style not in _STYLES:
        raise UnknownChoice(f"{place}.style", f"must be one of {', '.join(_STYLES.values())}")
    multiplier = message.multiplier or 1.0
    for name, value in (
        ("strike", message.strike),
        ("time_to_expiry", message.time_to_expiry),
        ("volatility", message.volatility),
        ("multiplier", multiplier),
    ):
        if not (math.isfinite(value) and 0.0 < value <= _MOST[name]):
            raise OutOfDomain(f"{place}.{name}", value, f"above 0 and at most {_MOST[name]:g}")
    return Option(
        option_type=_OPTION_TYPES[message.option_type],
        style=_STYLES[message.style],
        strike=message.strike,
        time_to_expiry=message.time_to_expiry,
        volatility=message.volatility,
        multiplier=multiplier,
    )


def option_to(option: Option | None) -> pb.PositionOption | None:
    if option is None:
        return None
    return pb.PositionOption(
        option_type=_OPTION_TYPE_NUMBERS[option.option_type],
        style=_STYLE_NUMBERS[option.style],
        strike=option.strike,
        time_to_expiry=option.time_to_expiry,
        volatility=option.volatility,
        multiplier=option.multiplier,
    )


def position_to(position: Position) -> pb.InlinePosition:
    return pb.InlinePosition(
        symbol=position.symbol, quantity=to_proto(position.quantity), option=option_to(position.option)
    )
