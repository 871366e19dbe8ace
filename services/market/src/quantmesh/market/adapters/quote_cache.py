"""The latest quotes: in this process, and in Redis for five minutes for the other replicas."""

import asyncio
from collections.abc import Mapping, Sequence

from google.protobuf.message import DecodeError

from quantmesh.api.market.v1.market_pb2 import Quote as QuoteMessage
from quantmesh.chassis.cache import Cache
from quantmesh.market.adapters.translate import quote_from, quote_to
from quantmesh.market.core.model import Quote

TTL_SECONDS = 300.0


class QuoteCache:
    """Redis down or behind is made up for by the memory of the process that plays the feed."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._live: dict[str, Quote] = {}
        self._unsaved: dict[str, bytes] = {}
        self._saver: asyncio.Task[None] | None = None

    async def get(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        found = dict(zip(symbols, await self._cache.get_many([_key(symbol) for symbol in symbols]), strict=True))
        quotes: dict[str, Quote] = {}
        for symbol in symbols:
            quote, live = _decode(found[symbol]), self._live.get(symbol)
            if quote is None or (live is not None and live.time >= quote.time):
                quote = live
            if quote is not None:
                quotes[symbol] = quote
        return quotes

    async def put(self, quotes: Sequence[Quote]) -> None:
        await self._save({quote.symbol: quote_to(quote).SerializeToString() for quote in quotes})

    async def drop(self, symbols: Sequence[str]) -> None:
        for symbol in symbols:
            self._live.pop(symbol, None)
            self._unsaved.pop(symbol, None)
        if symbols:
            await self._cache.delete(*(_key(symbol) for symbol in symbols))

    def feed(self, quotes: Mapping[str, tuple[Quote, bytes]]) -> None:
        """Live quotes with their messages. Redis is written behind: while it is slow only the newest are kept."""
        for symbol, (quote, message) in quotes.items():
            self._live[symbol] = quote
            self._unsaved[symbol] = message
        if self._saver is None or self._saver.done():
            self._saver = asyncio.create_task(self._save_newest(), name="save quotes")

    def leave_to_others(self) -> None:
        """Another process plays the feed: what this one quoted may look newer than what comes after a rewind."""
        self._live.clear()
        self._unsaved.clear()

    async def close(self) -> None:
        if self._saver is not None:
            await asyncio.gather(self._saver, return_exceptions=True)
        await self._cache.close()

    async def _save_newest(self) -> None:
        while self._unsaved:
            batch, self._unsaved = self._unsaved, {}
            await self._save(batch)

    async def _save(self, messages: Mapping[str, bytes]) -> None:
        await self._cache.set_many({_key(symbol): message for symbol, message in messages.items()}, TTL_SECONDS)


def _key(symbol: str) -> str:
    return f"quote:{symbol}"


def _decode(content: bytes | None) -> Quote | None:
    if content is None:
        return None
    try:
        return quote_from(QuoteMessage.FromString(content))
    except DecodeError:
        return None
