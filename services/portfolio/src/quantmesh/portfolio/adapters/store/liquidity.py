"""What is used of each symbol's quote, by whatever process."""

from collections.abc import Collection
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.sql import Asked, text
from quantmesh.portfolio.adapters.store.halts import IN_LIMIT_STATE
from quantmesh.portfolio.adapters.store.owned import Owned
from quantmesh.portfolio.core.liquidity import LiquidityRequest
from quantmesh.portfolio.core.market import Quote
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.orders import OrderSide

# Locked until commit; a newer quote begins with nothing used but this.
_USE = text(
    """
    INSERT INTO venue_symbol AS v (symbol, quoted_at, bid_used, ask_used) VALUES (:symbol, :quoted_at, :bid, :ask)
    ON CONFLICT (symbol) DO UPDATE SET
        quoted_at = greatest(v.quoted_at, excluded.quoted_at),
        bid_used = excluded.bid_used + CASE WHEN excluded.quoted_at > v.quoted_at THEN 0 ELSE v.bid_used END,
        ask_used = excluded.ask_used + CASE WHEN excluded.quoted_at > v.quoted_at THEN 0 ELSE v.ask_used END
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
_ENOUGH = text(
    """
    SELECT demand(
        quoted_at = :quoted_at AND limit_since IS NULL
        AND CASE WHEN :side = 'buy' THEN ask_used ELSE bid_used END
            + resting_ahead(symbol, :side, CAST(:price AS numeric), CAST(:time AS timestamptz), CAST(:order_id AS uuid))
            <= :size
    )
    FROM venue_symbol WHERE symbol = :symbol
    """
)


def size_question(quote: Quote, side: OrderSide = OrderSide.BUY, quantity: Decimal = ZERO) -> Asked:
    """Locks what is used of the quote, and uses `quantity` more of it for an order on `side`."""
    ask, bid = (quantity, ZERO) if side is OrderSide.BUY else (ZERO, quantity)
    return _USE, {"symbol": quote.symbol, "quoted_at": quote.quoted_at, "bid": bid, "ask": ask}


def limit_question(symbol: str) -> Asked:
    """Of a quote that is good for any size, of which nothing is used up."""
    return IN_LIMIT_STATE, {"symbol": symbol}


def ahead_question(quote: Quote, side: OrderSide, order_id: UUID) -> Asked:
    price = quote.ask if side is OrderSide.BUY else quote.bid
    return _AHEAD, {"symbol": quote.symbol, "side": side, "price": price, "time": quote.time, "order_id": order_id}


def enough_demand(request: LiquidityRequest, size: Decimal) -> Asked:
    """That the quote has what was just used of it, and that those who rest before the order have theirs."""
    _, asked = ahead_question(request.quote, request.order.request.side, request.order.id)
    return _ENOUGH, {**asked, "quoted_at": request.quote.quoted_at, "size": size}


class LiquidityStore(Owned):
    async def lock_sizes(self, symbols: Collection[str]) -> None:
        await self._session.execute(_LOCK_ALL, {"symbols": list(symbols)})

    async def take_liquidity(self, request: LiquidityRequest) -> Decimal:
        size, quote, order = request.size, request.quote, request.order
        if size is None:
            return ZERO if await self._session.scalar(*limit_question(quote.symbol)) else request.quantity
        side = order.request.side
        used = (await self._session.execute(*size_question(quote))).one()
        if used.quoted_at > quote.quoted_at or used.limit_since is not None:
            return ZERO
        ahead = ZERO
        if request.behind_resting:
            ahead = await self._session.scalar(*ahead_question(quote, side, order.id))
        granted = request.granted(size, used.ask_used if side is OrderSide.BUY else used.bid_used, ahead)
        if granted > ZERO:
            await self._session.send(*size_question(quote, side, granted))
        return granted
