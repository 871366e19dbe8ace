"""Option chains: snapshots, of which the last one before an instant is asked for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from quantmesh.chassis.database import Database
from quantmesh.chassis.sql import Row, text
from quantmesh.market.core.option_chains import ChainQuote, OptionChain, OptionContract

_LATEST = text(
    """
    SELECT underlying, time, spot, source FROM option_chain
    WHERE underlying = :underlying AND time <= :as_of ORDER BY time DESC LIMIT 1
    """
)
_QUOTES = text(
    "SELECT * FROM option_quote WHERE underlying = :underlying AND time = :time ORDER BY expiry, strike, option_type"
)
_UNDERLYINGS = text("SELECT DISTINCT underlying FROM option_chain ORDER BY underlying")
_ADD_CHAIN = text(
    "INSERT INTO option_chain (underlying, time, spot, source) VALUES (:underlying, :time, :spot, :source)"
    " ON CONFLICT DO NOTHING RETURNING underlying"
)
_ADD_QUOTE = text(
    """
    INSERT INTO option_quote (underlying, time, symbol, option_type, strike, expiry, multiplier, exercise, settlement,
        time_to_expiry, bid_implied_volatility, ask_implied_volatility, forward, discount_factor)
    VALUES (:underlying, :time, :symbol, :option_type, :strike, :expiry, :multiplier, :exercise, :settlement,
        :time_to_expiry, :bid_implied_volatility, :ask_implied_volatility, :forward, :discount_factor)
    """
)


class ChainStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self, underlying: str, as_of: datetime) -> OptionChain | None:
        async with self._database.system_transaction() as session:
            found = (await session.execute(_LATEST, {"underlying": underlying, "as_of": as_of})).one_or_none()
            if found is None:
                return None
            rows = await session.execute(_QUOTES, {"underlying": underlying, "time": found.time})
            return OptionChain(underlying, found.time, found.spot, found.source, [_quote(row) for row in rows])

    async def underlyings(self) -> list[str]:
        async with self._database.system_transaction() as session:
            return [row.underlying for row in await session.execute(_UNDERLYINGS)]

    async def add(self, chains: Sequence[OptionChain]) -> None:
        """Those that are not there yet."""
        for chain in chains:
            async with self._database.system_transaction() as session:
                key = {"underlying": chain.underlying, "time": chain.time}
                if (await session.execute(_ADD_CHAIN, key | {"spot": chain.spot, "source": chain.source})).first():
                    await session.execute_many(_ADD_QUOTE, [key | _columns(quote) for quote in chain.quotes])


def _columns(quote: ChainQuote) -> dict[str, Any]:
    contract = quote.contract
    return {
        "symbol": contract.symbol,
        "option_type": contract.option_type,
        "strike": contract.strike,
        "expiry": contract.expiry,
        "multiplier": contract.multiplier,
        "exercise": contract.exercise,
        "settlement": contract.settlement,
        "time_to_expiry": quote.time_to_expiry,
        "bid_implied_volatility": quote.bid_implied_volatility,
        "ask_implied_volatility": quote.ask_implied_volatility,
        "forward": quote.forward,
        "discount_factor": quote.discount_factor,
    }


def _quote(row: Row) -> ChainQuote:
    contract = OptionContract(
        row.symbol,
        row.underlying,
        row.option_type,
        row.strike.normalize(),
        row.expiry,
        row.multiplier.normalize(),
        row.exercise,
        row.settlement,
    )
    return ChainQuote(
        contract,
        row.time_to_expiry,
        row.bid_implied_volatility,
        row.ask_implied_volatility,
        row.forward,
        row.discount_factor,
    )
