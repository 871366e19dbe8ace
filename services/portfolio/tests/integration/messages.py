"""Requests as tests write them, with numbers and times as short as they can be."""

from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.times import to_timestamp


def transaction(**fields: Any) -> pb.TransactionInput:
    """`at` is a UTC day (15:00) or an instant; numbers are strings."""
    at = str(fields.pop("at"))
    moment = datetime.fromisoformat(at if "T" in at else f"{at}T15:00:00+00:00")
    message = pb.TransactionInput(
        type=pb.TransactionType.Value(f"TRANSACTION_TYPE_{fields.pop('type').upper()}"),
        executed_at=to_timestamp(moment),
    )
    for name, value in fields.items():
        if name in {"quantity", "price", "amount", "fee", "split_ratio"}:
            getattr(message, name).value = value
        else:
            setattr(message, name, value)
    return message


def order_request(
    portfolio_id: str,
    quantity: str,
    side: str = "buy",
    symbol: str = "AAPL",
    *,
    limit: str = "",
    stop: str = "",
    tif: str = "day",
    client_order_id: str = "",
) -> pb.PlaceOrderRequest:
    """The type follows from the prices that are given."""
    kind = "_".join(name for name, price in (("stop", stop), ("limit", limit)) if price) or "market"
    return pb.PlaceOrderRequest(
        portfolio_id=portfolio_id,
        client_order_id=client_order_id,
        symbol=symbol,
        side=pb.OrderSide.Value(f"ORDER_SIDE_{side.upper()}"),
        type=pb.OrderType.Value(f"ORDER_TYPE_{kind.upper()}"),
        quantity=decimal(quantity),
        limit_price=decimal(limit) if limit else None,
        stop_price=decimal(stop) if stop else None,
        time_in_force=pb.TimeInForce.Value(f"TIME_IN_FORCE_{tif.upper()}"),
    )


def decimal(text: str) -> common_pb2.Decimal:
    return common_pb2.Decimal(value=text)


def stamp(moment: datetime | None) -> Timestamp | None:
    return None if moment is None else to_timestamp(moment)
