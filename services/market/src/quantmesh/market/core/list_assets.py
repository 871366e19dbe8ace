"""The catalogue, in pages."""

from dataclasses import dataclass

from quantmesh.market.core.errors import InvalidRequest
from quantmesh.market.core.model import Asset, AssetClass
from quantmesh.market.core.pages import decode_cursor, encode_cursor, page_limit
from quantmesh.market.core.ports import Market

DEFAULT_LIMIT, MAX_LIMIT = 100, 1_000
_MAX_SEARCH = 64


@dataclass(frozen=True, slots=True)
class AssetPage:
    assets: list[Asset]
    next_cursor: str


async def list_assets(
    market: Market, *, asset_class: AssetClass | None = None, search: str = "", limit: int = 0, cursor: str = ""
) -> AssetPage:
    """By symbol; `search` is a part of the symbol or the name, in any case."""
    if len(search) > _MAX_SEARCH or "\0" in search:
        field, wanted = "search", f"use 1 to {_MAX_SEARCH} characters of a symbol or name"
        raise InvalidRequest(field, wanted)
    after = decode_cursor(cursor)
    size = page_limit(limit, DEFAULT_LIMIT, MAX_LIMIT)
    assets = await market.assets.page(after, size + 1, asset_class, search.strip())
    more = len(assets) > size
    assets = assets[:size]
    return AssetPage(assets, encode_cursor(assets[-1].symbol) if more else "")
