"""An order is taken: what the account lacks refuses it, what the venue cannot do rejects it, what can trade trades.

All in one transaction with its postings, its reservation and its events. What no state of the market could make good
(an unknown symbol, cash or units that are not there) leaves nothing; a rejected order is one, with its reason.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from quantmesh.portfolio.core.buying_power import suggesting_less
from quantmesh.portfolio.core.errors import UnknownSymbol
from quantmesh.portfolio.core.execution import ExecutionCosts, Venue, check_instrument
from quantmesh.portfolio.core.halts.model import HaltKind
from quantmesh.portfolio.core.order_errors import OrderIdTaken
from quantmesh.portfolio.core.order_states import OrderStep
from quantmesh.portfolio.core.order_work import OrderWork, books_for, with_halt
from quantmesh.portfolio.core.orders import Fill, Order, OrderRequest, TimeInForce
from quantmesh.portfolio.core.ports import Ledger, Market
from quantmesh.portfolio.core.record_transactions import NewId
from quantmesh.portfolio.core.reservations import worst_price


async def ask_venue(market: Market, symbol: str, costs: ExecutionCosts) -> Venue:
    """Before the ledger is touched. Raises UnknownSymbol."""
    return (await ask_venues(market, [symbol], costs))[symbol]


async def ask_venues(market: Market, symbols: Collection[str], costs: ExecutionCosts) -> Mapping[str, Venue]:
    """The same of several, at one instant."""
    # One after the other: hardly ever has anybody to be asked, and a task takes longer than both.
    assets = await market.assets(symbols)
    clock, quotes = await market.to_trade_on(symbols)
    unknown = [symbol for symbol in symbols if symbol not in assets]
    if unknown:
        raise UnknownSymbol(unknown[0], "symbol")
    return {symbol: Venue(assets[symbol], quotes.get(symbol), clock, costs) for symbol in symbols}


async def place_order(
    ledger: Ledger, order: Order, venue: Venue, now: datetime, new_id: NewId
) -> tuple[Order, list[Fill]]:
    """A new one. Raises OrderIdTaken, InsufficientCash, InsufficientHolding or MarginExceeded: nothing is written."""
    portfolio, recorded_at = await ledger.lock(order.portfolio_id, now)
    if order.is_named and await ledger.order_id_taken(order.portfolio_id, order.request.client_order_id):
        raise OrderIdTaken(order.request.client_order_id)
    venue = await with_halt(ledger, venue)
    books = await books_for(ledger, order, venue.time)
    work = OrderWork(order, books, recorded_at, new_id, ledger.take_liquidity)
    await decide(work, venue, recorded_at)
    with suggesting_less(order, venue):
        return await work.write(ledger, portfolio), work.fills


def new_order(
    portfolio_id: UUID,
    request: OrderRequest,
    venue: Venue,
    now: datetime,
    order_id: UUID,
    basket_id: UUID | None = None,
) -> Order:
    """Raises NotTradable, or InvalidOrder for what is off the lot or the tick."""
    check_instrument(request, venue.asset)
    if not request.client_order_id:
        request = replace(request, client_order_id=str(order_id))
    return Order(order_id, portfolio_id, request, venue.asset.currency, now, basket_id=basket_id)


async def decide(work: OrderWork, venue: Venue, recorded_at: datetime) -> None:
    """Reject a new order, or accept it and let it trade. Raises InsufficientCash or InsufficientHolding."""
    order, time = work.order, venue.time
    reason, price = _rejection(order, venue), worst_price(order, venue)
    if reason is not None or price is None:
        work.take(OrderStep.REJECTED, time, reason=reason or f"the bid of {order.request.symbol} is below one tick")
        return
    work.take(
        OrderStep.ACCEPTED,
        time,
        accepted_at=recorded_at,
        priority_at=recorded_at,
        priced_at=time,
        expires_at=venue.clock.session_close if order.request.time_in_force is TimeInForce.DAY else None,
        reserved=work.required(order, price, venue, time),
    )
    if venue.tradable_quote is not None:
        await work.match(venue, venue.tradable_quote, order.open_quantity, behind_resting=True)


def _rejection(order: Order, venue: Venue) -> str | None:
    """Why the venue cannot take the order just now; None where it can."""
    if venue.halt is not None and venue.halt.kind is HaltKind.KILL_SWITCH:
        return venue.halt.reason
    if order.request.must_trade_now and venue.problem is not None:
        return venue.problem
    if order.request.time_in_force is TimeInForce.DAY and venue.clock.session_close is None:
        return "no session is on that a day order could last for; a gtc order waits for the next one"
    return None
