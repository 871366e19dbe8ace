"""The catalogue."""

import json
from collections.abc import Mapping, Sequence

from quantmesh.chassis.database import Database
from quantmesh.chassis.sql import Row, text
from quantmesh.market.core.model import Adjustment, Asset, AssetClass, AssetListing

_FIND = text("SELECT * FROM asset WHERE symbol = ANY(:symbols)")
_PAGE = text(
    """
    SELECT * FROM asset
    WHERE symbol > :after
      AND (CAST(:asset_class AS text) IS NULL OR asset_class = :asset_class)
      AND (:pattern = '' OR symbol ILIKE :pattern OR name ILIKE :pattern)
    ORDER BY symbol LIMIT :limit
    """
)
_ADD = text(
    """
    INSERT INTO asset (symbol, name, asset_class, currency, calendar, tick_size, lot_size, adjustment, tradable,
                       metadata)
    SELECT symbol, name, asset_class, currency, calendar, tick_size, lot_size, adjustment, tradable, metadata
    FROM jsonb_to_recordset(CAST(:listings AS jsonb)) AS listed (
        symbol text, name text, asset_class text, currency text, calendar text, tick_size numeric, lot_size numeric,
        adjustment text, tradable boolean, metadata jsonb)
    ON CONFLICT (symbol) DO NOTHING
    """
)


class AssetStore:
    """Remembers what it has found: a listing never changes, and none is removed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, Asset] = {}

    async def find(self, symbols: Sequence[str]) -> Mapping[str, Asset]:
        unknown = [symbol for symbol in symbols if symbol not in self._known]
        if unknown:
            async with self._database.system_transaction() as session:
                for row in await session.execute(_FIND, {"symbols": unknown}):
                    self._known[row.symbol] = _asset(row)
        return {symbol: self._known[symbol] for symbol in symbols if symbol in self._known}

    async def page(self, after: str, limit: int, asset_class: AssetClass | None, search: str) -> list[Asset]:
        escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        parameters = {
            "after": after,
            "asset_class": asset_class,
            "pattern": f"%{escaped}%" if search else "",
            "limit": limit,
        }
        async with self._database.system_transaction() as session:
            return [_asset(row) for row in await session.execute(_PAGE, parameters)]

    async def add(self, listings: Sequence[AssetListing]) -> None:
        rows = [
            {
                "symbol": listing.symbol,
                "name": listing.name,
                "asset_class": listing.asset_class,
                "currency": listing.currency,
                "calendar": listing.calendar,
                "tick_size": str(listing.tick_size),
                "lot_size": str(listing.lot_size),
                "adjustment": listing.adjustment,
                "tradable": listing.tradable,
                "metadata": dict(listing.metadata),
            }
            for listing in listings
        ]
        async with self._database.system_transaction() as session:
            await session.execute(_ADD, {"listings": json.dumps(rows)})


def _asset(row: Row) -> Asset:
    listing = AssetListing(
        row.symbol,
        row.name,
        AssetClass(row.asset_class),
        row.currency,
        row.calendar,
        row.tick_size.normalize(),
        row.lot_size.normalize(),
        Adjustment(row.adjustment),
        row.tradable,
        row.metadata,
    )
    return Asset(row.id, row.series, listing)
