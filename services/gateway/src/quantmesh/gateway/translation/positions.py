"""Measured books and their positions: JSON to messages and back."""

from typing import Any

from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.gateway.http.models.backtest import BacktestBody
from quantmesh.gateway.http.models.risk import MeasuredBody, PositionBody
from quantmesh.gateway.translation.common import decimal_request, instant_request
from quantmesh.gateway.translation.options import OPTION_TYPE_NAMES, OPTION_TYPES, STYLE_NAMES, STYLES


def inline_positions(positions: list[PositionBody]) -> pb.InlinePositions:
    return pb.InlinePositions(positions=[_position(position) for position in positions])


def _position(body: PositionBody) -> pb.InlinePosition:
    position = pb.InlinePosition(symbol=body.symbol, quantity=decimal_request(body.quantity))
    if body.option is not None:
        position.option.CopyFrom(
            pb.PositionOption(
                option_type=OPTION_TYPES[body.option.option_type],
                style=STYLES[body.option.style],
                strike=body.option.strike,
                time_to_expiry=body.option.time_to_expiry,
                volatility=body.option.volatility,
                multiplier=body.option.multiplier,
            )
        )
    return position


def measured_book(body: MeasuredBody | BacktestBody) -> pb.MeasuredBook:
    book = pb.MeasuredBook(rate=body.rate, as_of=instant_request(body.as_of), known_at=instant_request(body.known_at))
    if body.portfolio_id is not None:
        book.portfolio_id = body.portfolio_id
    if body.positions is not None:
        book.positions.CopyFrom(inline_positions(body.positions))
    return book


def option(message: Any) -> dict[str, Any] | None:
    """Of a message with a field `option`."""
    if not message.HasField("option"):
        return None
    given: pb.PositionOption = message.option
    return {
        "option_type": OPTION_TYPE_NAMES[given.option_type],
        "style": STYLE_NAMES[given.style],
        "strike": given.strike,
        "time_to_expiry": given.time_to_expiry,
        "volatility": given.volatility,
        "multiplier": given.multiplier,
    }


def position(message: pb.InlinePosition) -> dict[str, Any]:
    """Ready to be asked for."""
    return {"symbol": message.symbol, "quantity": message.quantity.value, "option": option(message)}
