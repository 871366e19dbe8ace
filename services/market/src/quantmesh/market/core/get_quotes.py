"""The price of each symbol, now or at an instant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from quantmesh.market.core.find_assets import checked_symbols
from quantmesh.market.core.model import Asset, Quote
from quantmesh.market.core.ports import Market
from quantmesh.market.core.quotes import judged, quote_of_close


@dataclass(frozen=True, slots=True)
class FoundQuotes:
    """`missing`: symbols without a price at that time, and those that nobody knows."""

    quotes: list[Quote]
    missing: list[str]


async def get_quotes(
    market: Market,
    symbols: Sequence[str],
    as_of: datetime | None,
    system_now: datetime,
    known_at: datetime | None = None,
) -> FoundQuotes:
    """With `as_of` the last close known then; without it, or before that has come, the live quote, or else a close.

    With `known_at` a close as well, without the corrections that were recorded after that system time.
    """
    wanted = checked_symbols(symbols)
    assets = await market.assets.find(wanted)
    if known_at is None and (as_of is None or as_of > market.clock.now()):
        found = dict(await _latest(market, assets, system_now))
    else:
        found = await _closes(market, assets.values(), market.true_at(as_of), known_at)
    return FoundQuotes(
        [found[symbol] for symbol in wanted if symbol in found], [symbol for symbol in wanted if symbol not in found]
    )


async def _latest(market: Market, assets: Mapping[str, Asset], system_now: datetime) -> Mapping[str, Quote]:
    now = market.clock.now()
    kept = await market.quotes.get(list(assets))
    cached = {symbol: quote for symbol, quote in kept.items() if _answers(market, assets[symbol], quote, now)}
    closes = await _kept_closes(market, [asset for symbol, asset in assets.items() if symbol not in cached], now)
    return {symbol: _fresh(market, assets[symbol], quote, system_now) for symbol, quote in (cached | closes).items()}


async def _kept_closes(market: Market, assets: Sequence[Asset], now: datetime) -> dict[str, Quote]:
    """Closes that answer from here on, read again once they are kept: a bar that any replica recorded in between has
    dropped what was kept before it, and not what was put there after it."""
    closes = await _closes(market, assets, now)
    if not closes:
        return closes
    await market.quotes.put(list(closes.values()))
    confirmed = await _closes(market, assets, now)
    outdated = [symbol for symbol, quote in closes.items() if confirmed.get(symbol) != quote]
    if outdated:
        await market.quotes.drop(outdated)
    return confirmed


def _answers(market: Market, asset: Asset, quote: Quote, now: datetime) -> bool:
    """A close that was the newest one when it was cached is looked up again once a session has closed after it."""
    if quote.time > now:
        return False
    return quote.source != "close" or quote.stale or not _behind(market, asset, quote)


def _behind(market: Market, asset: Asset, close: Quote) -> bool:
    calendar = market.calendars[asset.listing.calendar]
    session = calendar.last_closed(market.clock.now())
    return session is None or close.time != calendar.close(session)


def _fresh(market: Market, asset: Asset, quote: Quote, system_now: datetime) -> Quote:
    """With `stale` as of now, since what was cached may have aged."""
    if quote.source != "close":
        return judged(quote, system_now, feed_open=market.clock.is_open)
    # What the feed quotes has no price while the feed stands still.
    behind = _behind(market, asset, quote)
    return replace(quote, stale=behind or (asset.listing.tradable and not market.clock.is_open))


async def _closes(
    market: Market, assets: Iterable[Asset], at: datetime, known_at: datetime | None = None
) -> dict[str, Quote]:
    by_symbol = {asset.symbol: asset for asset in assets}
    if not by_symbol:
        return {}
    return {
        symbol: quote_of_close(by_symbol[symbol], bar, market.calendars[by_symbol[symbol].listing.calendar], at)
        for symbol, bar in (await market.bars.last(list(by_symbol.values()), at, known_at)).items()
    }
