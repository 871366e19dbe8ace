"""Take in what a provider has, from where it stopped."""

from quantmesh.market.core.find_gaps import find_gaps
from quantmesh.market.core.ingest import ingest
from quantmesh.market.core.parse_bars import parse_bars
from quantmesh.market.core.ports import Ingestion, Market, Provider


async def backfill(market: Market, provider: Provider) -> list[Ingestion]:
    """A transaction per symbol, each with its checkpoint: what was cut off goes on with the next symbol.

    What was taken in before is skipped for as long as the provider's version stays the same.
    """
    reached = await market.bars.versions(provider.name)
    symbols = [symbol for symbol in provider.symbols() if reached.get(symbol) != provider.version]
    if not symbols:
        return []
    await market.assets.add(provider.listings())
    await market.chains.add(provider.chains())
    assets = await market.assets.find(symbols)
    done = []
    for symbol in symbols:
        calendar = market.calendars[assets[symbol].listing.calendar]
        parsed = parse_bars(provider.bars(symbol), calendar)
        gaps = find_gaps([bar.day for bar in parsed.bars], calendar)
        ingestion = Ingestion(assets[symbol], provider.name, parsed.bars, parsed.rejections, provider.version, gaps)
        await ingest(market, ingestion)
        done.append(ingestion)
    return done
