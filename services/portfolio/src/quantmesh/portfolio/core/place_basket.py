"""Several market orders as one: all are filled in one transaction, sales first, or none is placed."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.errors import Violation
from quantmesh.portfolio.core.buying_power import RULE
from quantmesh.portfolio.core.errors import InsufficientCash, InsufficientHolding
from quantmesh.portfolio.core.execution import Venue
from quantmesh.portfolio.core.ledger_errors import MarginExceeded
from quantmesh.portfolio.core.numbers import plain
from quantmesh.portfolio.core.order_states import OrderStatus
from quantmesh.portfolio.core.orders import Order, OrderRequest, OrderSide, OrderType, TimeInForce
from quantmesh.portfolio.core.place_order import new_order, place_order
from quantmesh.portfolio.core.ports import Ledger
from quantmesh.portfolio.core.rebalance_errors import BasketRefused, InvalidRebalance
from quantmesh.portfolio.core.record_transactions import NewId


@dataclass(frozen=True, slots=True)
class BasketOrder:
    """`field` is where it stands in what was asked."""

    request: OrderRequest
    venue: Venue
    field: str


_Refusal = tuple[BasketOrder, InsufficientCash | InsufficientHolding]


def basket_request(symbol: str, side: OrderSide, quantity: Decimal) -> OrderRequest:
    """Whole and at once, or not at all. Raises InvalidOrder."""
    return OrderRequest(symbol, side, OrderType.MARKET, quantity, TimeInForce.FOK)


def sales_first(requests: Sequence[OrderRequest]) -> list[OrderRequest]:
    """So that they pay for the purchases. Raises InvalidRebalance where there is none, or a symbol twice."""
    symbols = [request.symbol for request in requests]
    twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
    if not requests or twice:
        description = f"name {', '.join(twice)} more than once" if twice else "must have one at least"
        raise InvalidRebalance([Violation("orders", description)])
    return sorted(requests, key=lambda request: (request.side is OrderSide.BUY, request.symbol))


async def place_basket(
    ledger: Ledger, portfolio_id: UUID, orders: Sequence[BasketOrder], now: datetime, new_id: NewId
) -> tuple[UUID, list[Order]]:
    """In the order given. Raises BasketRefused, NotTradable or InvalidOrder, and then nothing is written."""
    basket_id = new_id()
    await ledger.lock(portfolio_id, now)
    await ledger.lock_sizes([each.request.symbol for each in orders])

    async def filled(each: BasketOrder) -> Order:
        new = new_order(portfolio_id, each.request, each.venue, now, new_id(), basket_id)
        order, _ = await place_order(ledger, new, each.venue, now, new_id)
        if order.status is not OrderStatus.FILLED:
            raise BasketRefused(each.request.symbol, order.reason, each.field)
        return order

    placed: list[Order] = []
    refusals: list[_Refusal] = []
    for each in orders:
        try:
            placed.append(await filled(each))
        except (InsufficientCash, InsufficientHolding) as lacking:
            refusals.append((each, lacking))
            # The others are tried beside the most of it that passes, so that the refusal can name a basket that does.
            if lacking.suggestion is not None:
                smaller = replace(each.request, quantity=Decimal(lacking.suggestion["quantity"]))
                # As little may not pay its own fee.
                with suppress(InsufficientCash, InsufficientHolding):
                    placed.append(await filled(replace(each, request=smaller)))
        except MarginExceeded as beyond:
            # Judged once it was written: nothing is tried beside that.
            denial = {"symbol": each.request.symbol, **beyond.denial}
            raise BasketRefused(each.request.symbol, beyond.detail.rstrip("."), each.field, [denial]) from beyond
    if refusals:
        raise _refused(refusals, placed) from refusals[0][1]
    return basket_id, placed


def _refused(refusals: Sequence[_Refusal], passing: Sequence[Order]) -> BasketRefused:
    order, first = refusals[0]
    # What a fill lacks for its fee has no rule of its own.
    denials = [{"symbol": each.request.symbol, **lacking.denial, "rule": RULE} for each, lacking in refusals]
    orders = [
        {"symbol": asked.symbol, "side": asked.side.value, "quantity": plain(asked.quantity)}
        for asked in (order.request for order in passing)
    ]
    suggestion = {"orders": orders} if orders else None
    return BasketRefused(order.request.symbol, first.detail.rstrip("."), order.field, denials, suggestion)
