"""What is used of each symbol's quote, by whatever process."""

from collections.abc import Collection
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.sql import Asked, text
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.core.liquidity import LiquidityRequest
from quantmesh.portfolio.core.market import Quote
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.orders import OrderSide

# Locked until commit; a newer quote begins with nothing used.
_LOCK = text(
    """
    INSERT INTO venue_symbol AS v (symbol, quoted_at, bid_used, ask_used) VALUES (:symbol, :quoted_at, 0, 0)
    ON CONFLICT (symbol) DO UPDATE SET
        quoted_at = greatest(v.quoted_at, excluded.quoted_at),
        bid_used = CASE WHEN excluded.quoted_at > v.quoted_at THEN 0 ELSE v.bid_used END,
        ask_used = CASE WHEN excluded.quoted_at > v.quoted_at THEN 0 ELSE v.ask_used END
    RETURNING quoted_at, bid_used, ask_used, limit_since
    """
)
# One after the other by name, so that two that want the same symbols never wait for each other.
_LOCK_ALL = text(
    """
    INSERT INTO venue_symbol AS v (symbol, quoted_at, bid_used, ask_used)
    SELECT symbol, '-infinity', 0, 0 FROM unnest(CAST(:symbols AS text[])) AS symbol ORDER BY symbol
    ON CONFLICT (symbol) DO UPDATE SET quoted_at = v.quoted_at
    """
)
_AHEAD = text(
    "SELECT resting_ahead(:symbol, :side, CAST(:price AS numeric), CAST(:time AS timestamptz), CAST(:order_id AS uuid))"
)
_USE = {
    OrderSide.BUY: text("UPDATE venue_symbol SET ask_used = ask_used + :quantity WHERE symbol = :symbol"),
    OrderSide.SELL: text("UPDATE venue_symbol SET bid_used = bid_used + :quantity WHERE symbol = :symbol"),
}


def size_question(quote: Quote) -> Asked:
    return _LOCK, {"symbol": quote.symbol, "quoted_at": quote.quoted_at}


def ahead_question(quote: Quote, side: OrderSide, order_id: UUID) -> Asked:
    price = quote.ask if side is OrderSide.BUY else quote.bid
    return _AHEAD, {"symbol": quote.symbol, "side": side, "price": price, "time": quote.time, "order_id": order_id}


class LiquidityStore(Owned):
    async def lock_sizes(self, symbols: Collection[str]) -> None:
        await self._session.execute(_LOCK_ALL, {"symbols": list(symbols)})

    async def take_liquidity(self, request: LiquidityRequest) -> Decimal:
        size, quote, order = request.size, request.quote, request.order
        if size is None:
            return request.quantity
        symbol, side = quote.symbol, order.request.side
        used = (await self._session.execute(*size_question(quote))).one()
        if used.quoted_at > quote.quoted_at or used.limit_since is not None:
            return ZERO
        ahead = ZERO
        if request.behind_resting:
            ahead = await self._session.scalar(*ahead_question(quote, side, order.id))
        granted = request.granted(size, used.ask_used if side is OrderSide.BUY else used.bid_used, ahead)
        if granted > ZERO:
            await self._session.send(_USE[side], {"symbol": symbol, "quantity": granted})
        return granted
