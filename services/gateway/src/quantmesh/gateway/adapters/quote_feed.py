"""Live quotes from core NATS: fanned out to the stream, and kept for when market does not answer."""

from collections.abc import Sequence
from typing import Any

import orjson
from google.protobuf.message import DecodeError

from quantmesh.api.market.v1.market_pb2 import Quote
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.gateway.core.stream.topic import Topic
from quantmesh.gateway.translation.market import quote

log = get_logger(__name__)

SUBJECT = "quotes.*"


class LastQuotes:
    """The last live quote of each symbol, as it came."""

    def __init__(self) -> None:
        self._quotes: dict[str, Quote] = {}

    def keep(self, message: Quote) -> None:
        self._quotes[message.symbol] = message

    def stale(self, symbols: Sequence[str]) -> list[dict[str, Any]]:
        """Those known among `symbols`, marked as stale."""
        return [{**quote(self._quotes[symbol]), "stale": True} for symbol in symbols if symbol in self._quotes]


class QuoteFeed:
    """Numbers each symbol's quotes, and words each of them once for all clients."""

    def __init__(self, last_quotes: LastQuotes, numbered_from: int = 0) -> None:
        self._last_quotes = last_quotes
        self._numbered_from = numbered_from
        self._topics: dict[str, Topic] = {}

    def topic(self, symbol: str) -> Topic:
        topic = self._topics.get(symbol)
        if topic is None:
            topic = self._topics[symbol] = Topic(f"quotes.{symbol}", self._numbered_from)
        return topic

    async def handle(self, subject: str, payload: bytes) -> None:
        """One core NATS message."""
        try:
            message = Quote.FromString(payload)
        except DecodeError:
            log.error("a message is no quote", subject=subject)
            return
        self._last_quotes.keep(message)
        shown = quote(message)
        self.topic(message.symbol).publish(shown["time"] or "", "quote", orjson.dumps(shown).decode())
