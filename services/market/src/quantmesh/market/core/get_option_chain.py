"""The last option chain that was known."""

from datetime import datetime

from quantmesh.market.core.errors import NoChain, NoChainYet
from quantmesh.market.core.model import checked_symbol
from quantmesh.market.core.option_chains import OptionChain
from quantmesh.market.core.ports import Market


async def get_option_chain(market: Market, underlying: str, as_of: datetime | None = None) -> OptionChain:
    at = market.true_at(as_of)
    chain = await market.chains.latest(checked_symbol(underlying, "underlying"), at)
    if chain is not None:
        return chain
    underlyings = await market.chains.underlyings()
    if underlying in underlyings:
        raise NoChainYet(underlying, at)
    raise NoChain(underlying, underlyings)
