"""What the venue's book proposes, executed where it still holds: the order is read again under the portfolio's lock.

A proposal may be late or come twice. Where the order has ended, moved out of reach, or the quote's size is used up,
nothing happens.
"""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from quantmesh.portfolio.core.admission import Books
from quantmesh.portfolio.core.errors import PortfolioNotFound
from quantmesh.portfolio.core.execution import Venue, is_triggered
from quantmesh.portfolio.core.market import Quote
from quantmesh.portfolio.core.model import Portfolio
from quantmesh.portfolio.core.order_errors import OrderNotFound
from quantmesh.portfolio.core.order_work import OrderWork, books_for, locked, with_halt
from quantmesh.portfolio.core.orders import Order
from quantmesh.portfolio.core.ports import Ledger
from quantmesh.portfolio.core.record_transactions import NewId


async def fill_order(
    ledger: Ledger, order_id: UUID, quantity: Decimal, venue: Venue, now: datetime, new_id: NewId
) -> Order | None:
    """At most `quantity` of a resting order on the venue's quote; None where nothing happened.

    Raises RuleBroken or InvalidInput where the ledger refuses what the fill would post (less than a cent, more owed
    than margin carries): nothing is written then, and no other quote would be better: it is to be cancelled.
    """
    found = await _tradable(ledger, order_id, venue, now)
    if found is None or found.order.waits_for_trigger:
        return None
    order, portfolio, recorded_at, venue, quote = found
    books = await books_for(ledger, order, quote.time)
    work = OrderWork(order, books, recorded_at, new_id, ledger.take_liquidity)
    await work.match(venue, quote, quantity, behind_resting=False)
    return await work.write(ledger, portfolio) if work.took_a_step else None


async def trigger_order(ledger: Ledger, order_id: UUID, venue: Venue, now: datetime, new_id: NewId) -> Order | None:
    """A stop that the venue's quote reaches becomes what it holds; None where nothing happened."""
    found = await _tradable(ledger, order_id, venue, now)
    if found is None or not found.order.waits_for_trigger or not is_triggered(found.order.request, found.quote):
        return None
    order, portfolio, recorded_at, _, quote = found
    work = OrderWork(order, Books(), recorded_at, new_id, ledger.take_liquidity)
    work.trigger(quote)
    return await work.write(ledger, portfolio)


class _Tradable(NamedTuple):
    """An open order under its portfolio's lock, and the quote of a venue that nothing halts."""

    order: Order
    portfolio: Portfolio
    recorded_at: datetime
    venue: Venue
    quote: Quote


async def _tradable(ledger: Ledger, order_id: UUID, venue: Venue, now: datetime) -> _Tradable | None:
    try:
        order, portfolio, recorded_at = await locked(ledger, order_id, now)
    except (OrderNotFound, PortfolioNotFound):
        # Gone with its portfolio.
        return None
    if not order.is_open or order.has_expired(venue.time):
        return None
    await ledger.lock_sizes([order.request.symbol])
    venue = await with_halt(ledger, venue)
    quote = venue.tradable_quote
    return None if quote is None else _Tradable(order, portfolio, recorded_at, venue, quote)
