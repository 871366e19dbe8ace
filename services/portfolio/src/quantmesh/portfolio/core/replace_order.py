"""An open order gets another quantity or price, and trades at once where that makes it possible."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.errors import Violation
from quantmesh.portfolio.core.buying_power import suggesting_less
from quantmesh.portfolio.core.errors import MarketUnavailable
from quantmesh.portfolio.core.execution import Venue, check_instrument, trades_now
from quantmesh.portfolio.core.numbers import plain
from quantmesh.portfolio.core.order_errors import IllegalTransition, InvalidOrder
from quantmesh.portfolio.core.order_states import OrderStatus, OrderStep, following
from quantmesh.portfolio.core.order_work import OrderWork, books_for, locked, with_halt
from quantmesh.portfolio.core.orders import Order, OrderRequest
from quantmesh.portfolio.core.ports import Ledger
from quantmesh.portfolio.core.record_transactions import NewId
from quantmesh.portfolio.core.reservations import worst_price


@dataclass(frozen=True, slots=True)
class Replacement:
    """What is None stays as it is; `quantity` is the whole one, what is filled included. Raises InvalidOrder."""

    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None

    def __post_init__(self) -> None:
        if self.quantity is None and self.limit_price is None and self.stop_price is None:
            raise InvalidOrder([Violation("quantity", "say at least one of quantity, limit_price and stop_price")])

    def of(self, order: Order) -> OrderRequest:
        """The request that the order would then be for. Raises IllegalTransition or InvalidOrder."""
        following(order.status, OrderStep.REPLACED)
        if self.quantity is not None and self.quantity <= order.filled_quantity:
            filled = plain(order.filled_quantity)
            description = f"{plain(self.quantity)} must be more than the {filled} that are filled; or cancel the rest"
            raise InvalidOrder([Violation("quantity", description)])
        if self.stop_price is not None and order.triggered_at is not None:
            raise InvalidOrder(
                [Violation("stop_price", "the stop has been triggered, so that it means nothing any more")]
            )
        request = order.request
        return replace(
            request,
            quantity=request.quantity if self.quantity is None else self.quantity,
            limit_price=request.limit_price if self.limit_price is None else self.limit_price,
            stop_price=request.stop_price if self.stop_price is None else self.stop_price,
        )


async def replace_order(
    ledger: Ledger,
    order_id: UUID,
    expected_version: int,
    replacement: Replacement,
    venue: Venue,
    now: datetime,
    new_id: NewId,
) -> Order:
    """Raises OrderChanged, IllegalTransition, InvalidOrder, InsufficientCash, InsufficientHolding or MarginExceeded,
    and MarketUnavailable where an order without a price of its own has no quote to be priced by.
    """
    order, portfolio, recorded_at = await locked(ledger, order_id, now)
    order.expect(expected_version)
    request = replacement.of(order)
    check_instrument(request, venue.asset)
    # What would rest need not wait for those that trade. A stop that was triggered stays so, wherever the price went.
    if order.triggered_at is not None or trades_now(request, venue):
        await ledger.lock_sizes([request.symbol])
    venue = await with_halt(ledger, venue)
    time = venue.time
    if order.has_expired(time):
        raise IllegalTransition(OrderStatus.EXPIRED, OrderStep.REPLACED)
    changed = replace(order, request=request)
    price = worst_price(changed, venue)
    if price is None:
        detail = f"There is no quote for {request.symbol} by which the order could be priced."
        raise MarketUnavailable(detail)
    books = await books_for(ledger, order, time)
    work = OrderWork(order, books, recorded_at, new_id, ledger.take_liquidity)
    keeps_its_place = is_less_of(order.request, request)
    work.take(
        OrderStep.REPLACED,
        time,
        request=request,
        priority_at=order.priority_at if keeps_its_place else recorded_at,
        priced_at=order.priced_at if keeps_its_place else time,
        reserved=work.required(changed, price, venue, time),
    )
    if venue.tradable_quote is not None:
        await work.match(venue, venue.tradable_quote, work.order.open_quantity, behind_resting=True)
    with suggesting_less(changed, venue):
        return await work.write(ledger, portfolio)


def is_less_of(before: OrderRequest, after: OrderRequest) -> bool:
    """Less of the same waits where it waited, and risks no more than it did."""
    return after.prices == before.prices and after.quantity <= before.quantity
