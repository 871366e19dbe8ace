"""An order ends before it is filled whole: cancelled by somebody, or expired with its session."""

from datetime import datetime
from uuid import UUID

from quantmesh.portfolio.core.admission import Books
from quantmesh.portfolio.core.errors import PortfolioNotFound
from quantmesh.portfolio.core.model import Portfolio
from quantmesh.portfolio.core.order_errors import OrderNotFound
from quantmesh.portfolio.core.order_states import OrderStep
from quantmesh.portfolio.core.order_work import OrderWork, locked
from quantmesh.portfolio.core.orders import Order
from quantmesh.portfolio.core.ports import Ledger
from quantmesh.portfolio.core.record_transactions import NewId


async def cancel_order(
    ledger: Ledger,
    order_id: UUID,
    market_time: datetime | None,
    now: datetime,
    new_id: NewId,
    *,
    expected_version: int | None = None,
    reason: str = "",
) -> Order:
    """`market_time` is None where the market keeps silent: nobody is kept in an order by that.

    Raises OrderNotFound, OrderChanged, or IllegalTransition for an order that has ended.
    """
    order, portfolio, recorded_at = await locked(ledger, order_id, now)
    order.expect(expected_version)
    market_time = market_time or order.last_market_time or recorded_at
    return await end_locked(ledger, portfolio, order, OrderStep.CANCELLED, market_time, recorded_at, new_id, reason)


async def expire_order(
    ledger: Ledger, order_id: UUID, market_time: datetime, now: datetime, new_id: NewId
) -> Order | None:
    """None where it has ended already, is gone with its portfolio, or lasts longer."""
    try:
        order, portfolio, recorded_at = await locked(ledger, order_id, now)
    except (OrderNotFound, PortfolioNotFound):
        return None
    if not (order.is_open and order.has_expired(market_time)):
        return None
    return await end_locked(
        ledger, portfolio, order, OrderStep.EXPIRED, market_time, recorded_at, new_id, "its session has closed"
    )


async def end_locked(
    ledger: Ledger,
    portfolio: Portfolio,
    order: Order,
    step: OrderStep,
    market_time: datetime,
    recorded_at: datetime,
    new_id: NewId,
    reason: str,
) -> Order:
    """One that is open, in a portfolio that is locked at its newest number."""
    # No balance is asked for: what it reserved was there, and becomes free.
    work = OrderWork(order, Books(), recorded_at, new_id, ledger.take_liquidity)
    work.take(step, market_time, reason=reason)
    return await work.write(ledger, portfolio)
