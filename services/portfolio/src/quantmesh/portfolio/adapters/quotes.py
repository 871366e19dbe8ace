"""Quotes as the market sends them."""

from google.protobuf.message import DecodeError

from quantmesh.api.market.v1 import market_pb2 as pb
from quantmesh.chassis.decimals import from_proto
from quantmesh.chassis.errors import InvalidInput
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.chassis.times import from_timestamp
from quantmesh.portfolio.core.market import Quote

log = get_logger(__name__)

# Of core NATS: every symbol's, as they come.
SUBJECT = "quotes.*"


def quote_in(subject: str, payload: bytes) -> Quote | None:
    """What one message of the feed says; None, and logged, where that is no quote."""
    try:
        return quote_from(pb.Quote.FromString(payload))
    except (DecodeError, InvalidInput) as error:
        log.error("a message is no quote", subject=subject, error=str(error))
        return None


def quote_from(message: pb.Quote) -> Quote:
    return Quote(
        symbol=message.symbol,
        price=from_proto(message.price, "price"),
        bid=from_proto(message.bid, "bid") if message.HasField("bid") else None,
        ask=from_proto(message.ask, "ask") if message.HasField("ask") else None,
        time=from_timestamp(message.time, "time"),
        stale=message.stale,
        currency=message.currency,
        bid_size=from_proto(message.bid_size, "bid_size") if message.HasField("bid_size") else None,
        ask_size=from_proto(message.ask_size, "ask_size") if message.HasField("ask_size") else None,
        received_at=from_timestamp(message.received_at, "received_at") if message.HasField("received_at") else None,
    )
