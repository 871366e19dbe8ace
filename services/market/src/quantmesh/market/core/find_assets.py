"""From symbols, as a caller wrote them, to assets."""

from collections.abc import Sequence

from quantmesh.market.core.errors import TooManySymbols, UnknownSymbol
from quantmesh.market.core.model import Asset, checked_symbol
from quantmesh.market.core.ports import Market

MAX_SYMBOLS = 500


def checked_symbols(symbols: Sequence[str]) -> list[str]:
    """Each once, in the order of their first mention."""
    unique = list(dict.fromkeys(symbols))
    if not 0 < len(unique) <= MAX_SYMBOLS:
        raise TooManySymbols(len(unique), MAX_SYMBOLS)
    return [checked_symbol(symbol, "symbols") for symbol in unique]


async def find_asset(market: Market, symbol: str, field: str = "symbol") -> Asset:
    found = await market.assets.find([checked_symbol(symbol, field)])
    if symbol not in found:
        raise UnknownSymbol([symbol])
    return found[symbol]


async def find_assets(market: Market, symbols: Sequence[str]) -> list[Asset]:
    """All of them, or UnknownSymbol with those that are not there."""
    wanted = checked_symbols(symbols)
    found = await market.assets.find(wanted)
    unknown = [symbol for symbol in wanted if symbol not in found]
    if unknown:
        raise UnknownSymbol(unknown)
    return [found[symbol] for symbol in wanted]
