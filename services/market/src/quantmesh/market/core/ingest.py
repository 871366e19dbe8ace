"""What a source says of an asset, taken into the record."""

from quantmesh.market.core.ports import Ingestion, Market


async def ingest(market: Market, ingestion: Ingestion) -> int:
    """How many bars were new or changed. What was cached of the symbol is read again."""
    changed = await market.bars.record(ingestion, market.clock.now())
    await market.quotes.drop([ingestion.asset.symbol])
    return changed
