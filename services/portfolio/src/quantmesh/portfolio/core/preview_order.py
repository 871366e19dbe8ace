"""What placing an order now would do: the same decision without the lock, the size of others, and the writing."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from quantmesh.chassis.errors import QuantmeshError
from quantmesh.portfolio.core.buying_power import suggest_less
from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.errors import InsufficientCash, InsufficientHolding
from quantmesh.portfolio.core.execution import Venue, execution_price, fee_of, traded_value
from quantmesh.portfolio.core.liquidity import LiquidityRequest
from quantmesh.portfolio.core.margin import margin_refusal
from quantmesh.portfolio.core.model import Portfolio
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.order_errors import OrderIdTaken
from quantmesh.portfolio.core.order_work import OrderWork, books_for, with_halt
from quantmesh.portfolio.core.orders import Order, OrderRequest, OrderSide
from quantmesh.portfolio.core.place_order import decide, new_order
from quantmesh.portfolio.core.ports import Ledger
from quantmesh.portfolio.core.posting_rules import CASH, SECURITIES
from quantmesh.portfolio.core.record_transactions import NewId, changed
from quantmesh.portfolio.core.reservations import reservation, worst_price


@dataclass(frozen=True, slots=True)
class OrderPreview:
    """Estimates: the quote may move before the order is placed.

    `order` as it would be answered; `price` at which it would trade or its cash is reserved, None without a quote.
    `cash_after` and `position_after` are those once it is filled whole at that price; `reserved` is needed at first.
    """

    order: Order
    price: Decimal | None
    fee: Decimal
    reserved: Decimal
    cash_after: Decimal
    position_after: Decimal
    denial: QuantmeshError | None


async def preview_order(
    ledger: Ledger, portfolio: Portfolio, request: OrderRequest, venue: Venue, now: datetime, new_id: NewId
) -> OrderPreview:
    """Raises NotTradable or InvalidOrder, as placing does; what the account lacks is the preview's denial."""
    order = new_order(portfolio.id, request, venue, now, new_id())
    venue = await with_halt(ledger, venue)
    books = await books_for(ledger, order, venue.time)
    cash, held = (
        books.balance(holding).latest() for holding in ((CASH, order.currency), (SECURITIES, order.request.symbol))
    )
    denial: QuantmeshError | None = None
    if await ledger.order_id_taken(portfolio.id, order.request.client_order_id):
        denial = OrderIdTaken(order.request.client_order_id)
    work = OrderWork(order, books, now, new_id, _whole_quote)
    try:
        await decide(work, venue, now)
    except (InsufficientCash, InsufficientHolding) as refusal:
        denial = denial or refusal
    if denial is None and work.entries:
        beyond = await margin_refusal(ledger, portfolio, work.entries, changed(books, work.entries))
        if beyond is not None:
            suggest_less(beyond, order, venue)
        denial = beyond
    return _estimated(order, work.order, venue, cash, held, denial)


async def _whole_quote(request: LiquidityRequest) -> Decimal:
    """As if nobody else had used any of it."""
    return request.at_most


@exactly
def _estimated(
    asked: Order, decided: Order, venue: Venue, cash: Decimal, held: Decimal, denial: QuantmeshError | None
) -> OrderPreview:
    quote, asset = venue.tradable_quote, venue.asset
    worst = worst_price(asked, venue)
    now = (
        None if quote is None or asked.waits_for_trigger else execution_price(asked.request, quote, asset, venue.costs)
    )
    price = worst if now is None else now
    fee, value = ZERO, ZERO
    if price is not None:
        notional = asked.request.quantity * price
        fee = fee_of(asked, notional, asset, venue.costs)
        value = round_cash(traded_value(notional, asset), asset.currency)
    sign = 1 if asked.request.side is OrderSide.BUY else -1
    return OrderPreview(
        order=decided,
        price=price,
        fee=fee,
        reserved=ZERO if worst is None else reservation(asked, worst, asset, venue.costs),
        cash_after=cash - sign * value - fee,
        position_after=held + sign * asked.request.quantity,
        denial=denial,
    )
