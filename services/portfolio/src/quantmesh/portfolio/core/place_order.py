"""A market order: taken and filled, or rejected by the venue, in one transaction with its postings and its events.

What no state of the market could make good (an unknown symbol, cash or units that are not there) is refused and leaves
nothing; what the venue cannot do just now (closed, stale, crossed) is a rejected order with its reason.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from quantmesh.portfolio.core.account_log import order_event
from quantmesh.portfolio.core.admission import admit, touched
from quantmesh.portfolio.core.errors import UnknownSymbol
from quantmesh.portfolio.core.market import Asset
from quantmesh.portfolio.core.model import Transaction, TransactionInput, TransactionType
from quantmesh.portfolio.core.orders import (
    ExecutionCosts,
    Fill,
    Order,
    OrderRequest,
    OrderSide,
    OrderStatus,
    Rejection,
    check_instrument,
    execute,
)
from quantmesh.portfolio.core.ports import Ledger, Market
from quantmesh.portfolio.core.record_transactions import NewId, changed

_TRANSACTION_TYPES = {OrderSide.BUY: TransactionType.BUY, OrderSide.SELL: TransactionType.SELL}


@dataclass(frozen=True, slots=True)
class VenueAnswer:
    """What the venue would do with the order now; `market_time` is when that was."""

    asset: Asset
    outcome: Fill | Rejection
    market_time: datetime


async def ask_venue(market: Market, request: OrderRequest, costs: ExecutionCosts) -> VenueAnswer:
    """Before the ledger is touched. Raises UnknownSymbol, NotTradable or InvalidOrder."""
    assets, clock, quotes = await asyncio.gather(
        market.assets([request.symbol]), market.clock(), market.quotes([request.symbol])
    )
    asset = assets.get(request.symbol)
    if asset is None:
        raise UnknownSymbol(request.symbol, "symbol")
    check_instrument(request, asset)
    return VenueAnswer(asset, execute(request, asset, quotes.get(request.symbol), clock, costs), clock.time)


async def place_order(
    ledger: Ledger, portfolio_id: UUID, request: OrderRequest, answer: VenueAnswer, now: datetime, new_id: NewId
) -> Order:
    """Raises OrderIdTaken, InsufficientCash or InsufficientHolding, and then nothing is written."""
    order_id = new_id()
    if not request.client_order_id:
        request = replace(request, client_order_id=str(order_id))
    order = Order(order_id, portfolio_id, request, answer.asset.currency, now)
    if isinstance(answer.outcome, Rejection):
        return await _reject(ledger, order, answer.outcome, answer.market_time, now)
    return await _fill(ledger, order, answer.outcome, now, new_id)


async def cancel_order(ledger: Ledger, market: Market, order_id: UUID, now: datetime) -> Order:
    """Raises IllegalTransition for an order that is final."""
    order = await ledger.order(order_id)
    order.become(OrderStatus.CANCELLED)
    market_time = (await market.clock()).time
    portfolio, recorded_at = await ledger.advance(order.portfolio_id, 1, now)
    # Again under the lock: it may have been filled meanwhile.
    cancelled = (await ledger.order(order_id)).become(OrderStatus.CANCELLED)
    await ledger.save_order(cancelled)
    await ledger.log(cancelled, order_event(cancelled, portfolio.seq, market_time, recorded_at))
    return cancelled


async def _reject(ledger: Ledger, order: Order, rejection: Rejection, market_time: datetime, now: datetime) -> Order:
    portfolio, recorded_at = await ledger.advance(order.portfolio_id, 1, now)
    rejected = replace(order.become(OrderStatus.REJECTED), reason=rejection.reason)
    await ledger.add_order(rejected)
    await ledger.log(rejected, order_event(rejected, portfolio.seq, market_time, recorded_at))
    return rejected


async def _fill(ledger: Ledger, order: Order, fill: Fill, now: datetime, new_id: NewId) -> Order:
    request = order.request
    portfolio, recorded_at = await ledger.advance(order.portfolio_id, 3, now)
    asked = TransactionInput(
        type=_TRANSACTION_TYPES[request.side],
        executed_at=fill.executed_at,
        currency=order.currency,
        symbol=request.symbol,
        quantity=request.quantity,
        price=fill.price,
        fee=fill.fee,
    ).checked()
    books = await ledger.books(portfolio.id, touched(asked, order.currency), asked.executed_at)
    entry = admit(asked, order.currency, books)
    transaction = Transaction(new_id(), portfolio.id, portfolio.seq, entry, recorded_at, order_id=order.id)
    accepted = replace(order.become(OrderStatus.ACCEPTED), accepted_at=recorded_at)
    filled = replace(
        accepted.become(OrderStatus.FILLED),
        filled_quantity=request.quantity,
        average_fill_price=fill.price,
        fee=fill.fee,
        executed_at=fill.executed_at,
        transaction_id=transaction.id,
    )
    await ledger.add_order(filled)
    for step, state in enumerate((accepted, filled)):
        await ledger.log(state, order_event(state, portfolio.seq - 2 + step, fill.executed_at, recorded_at))
    await ledger.append([transaction], changed(books, [entry]))
    return filled
