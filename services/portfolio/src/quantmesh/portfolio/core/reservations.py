"""What an open order may still need of the account, and the largest order that the account can carry."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from quantmesh.portfolio.core.admission import Holding
from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.execution import ExecutionCosts, Venue, execution_price, fee_of, slipped, traded_value
from quantmesh.portfolio.core.market import Asset
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.orders import Order, OrderRequest, OrderSide
from quantmesh.portfolio.core.posting_rules import CASH, SECURITIES


def reserved_from(order: Order) -> Holding:
    """Cash for a purchase, units for a sale."""
    if order.request.side is OrderSide.BUY:
        return CASH, order.currency
    return SECURITIES, order.request.symbol


def worst_price(order: Order, venue: Venue) -> Decimal | None:
    """The highest price that an order is expected to pay, or the lowest that it takes.

    Its limit; without one the stop price, or the quote's other side, with slippage. None where there is no quote.
    """
    if order.request.limit_price is None and order.triggered_at is not None and venue.quote is not None:
        return execution_price(order.request, venue.quote, venue.asset, venue.costs)
    return trade_price(order.request, venue)


def trade_price(request: OrderRequest, venue: Venue) -> Decimal | None:
    """The same of a request, which has not been triggered."""
    if request.limit_price is not None:
        return request.limit_price
    if request.stop_price is not None:
        return slipped(request.stop_price, request.side, venue.asset, venue.costs)
    if venue.quote is None:
        return None
    return execution_price(request, venue.quote, venue.asset, venue.costs)


@exactly
def reservation(order: Order, price: Decimal, asset: Asset, costs: ExecutionCosts) -> Decimal:
    """For all that is open of the order, at `price`: cash rounded up and the highest fee still to come, or units."""
    if order.request.side is OrderSide.SELL:
        return order.open_quantity
    return cost_of(order, order.open_quantity, price, asset, costs)


@exactly
def cost_of(order: Order, quantity: Decimal, price: Decimal, asset: Asset, costs: ExecutionCosts) -> Decimal:
    """The cash that buying `quantity` more at `price` takes at most, fee included."""
    if not quantity:
        return ZERO
    notional = quantity * price
    gross = round_cash(traded_value(notional, asset), asset.currency, ROUND_CEILING)
    return gross + fee_of(order, notional, asset, costs)


def lot_of(asset: Asset) -> Decimal:
    """One unit where the market names none."""
    return asset.lot_size if asset.lot_size > ZERO else Decimal(1)


@exactly
def affordable(order: Order, available: Decimal, price: Decimal, asset: Asset, costs: ExecutionCosts) -> Decimal:
    """The largest quantity in whole lots, at most what is open, that `available` pays for at `price`."""
    lot = lot_of(asset)
    wanted = int((order.open_quantity / lot).to_integral_value(ROUND_FLOOR))
    if order.request.side is OrderSide.SELL:
        return min(wanted, max(int((available / lot).to_integral_value(ROUND_FLOOR)), 0)) * lot
    if cost_of(order, order.open_quantity, price, asset, costs) <= available:
        return order.open_quantity
    # The cost grows with the quantity: none is affordable from `too_many` on.
    lots, too_many = 0, wanted + 1
    while too_many - lots > 1:
        middle = (lots + too_many) // 2
        if cost_of(order, middle * lot, price, asset, costs) <= available:
            lots = middle
        else:
            too_many = middle
    return lots * lot
