"""The account that limits are measured on, from portfolio's message."""

from decimal import Decimal

from quantmesh.api.common.v1.common_pb2 import Decimal as DecimalMessage
from quantmesh.api.portfolio.v1 import account_pb2, portfolio_pb2
from quantmesh.chassis.decimals import from_proto
from quantmesh.chassis.errors import InvalidInput, Violation
from quantmesh.chassis.times import from_timestamp
from quantmesh.risk.core.limits.account import ZERO, Account, Instrument, Order

# What a quantity's last decimal place holds: of instruments whose lots nobody says.
_SMALLEST_LOT = Decimal("1e-18")
# Nothing that is recorded reaches it.
AMOUNT_LIMIT = 10**15
_SIGNS = {portfolio_pb2.ORDER_SIDE_BUY: 1, portfolio_pb2.ORDER_SIDE_SELL: -1}


def account_of(message: account_pb2.AccountState) -> Account:
    return Account(
        currency=message.base_currency,
        cash=from_proto(message.cash, "account.cash") if message.HasField("cash") else None,
        instruments={each.symbol: _instrument(each) for each in message.instruments},
        as_of=from_timestamp(message.as_of, "account.as_of"),
        open_orders=[
            Order(each.symbol, signed(each.side, each.quantity, f"account.open_orders[{index}]"), rests=True)
            for index, each in enumerate(message.open_orders)
        ],
        day_profit=from_proto(message.day_profit, "account.day_profit") if message.HasField("day_profit") else None,
        seq=message.seq,
        may_owe=message.margin_enabled,
    )


def signed(side: portfolio_pb2.OrderSide.ValueType, quantity: DecimalMessage, place: str) -> Decimal:
    """Positive to buy, negative to sell. Raises InvalidInput."""
    if side not in _SIGNS:
        detail = "must be buy or sell"
        raise InvalidInput(f"{place}.side {detail}.", violations=[Violation(f"{place}.side", detail)])
    amount = from_proto(quantity, f"{place}.quantity")
    if not ZERO < amount < AMOUNT_LIMIT:
        detail = f"must be greater than zero and less than {AMOUNT_LIMIT}; it is {amount}"
        raise InvalidInput(f"{place}.quantity {detail}.", violations=[Violation(f"{place}.quantity", detail)])
    return _SIGNS[side] * amount


def _instrument(message: account_pb2.AccountInstrument) -> Instrument:
    lot_size = from_proto(message.lot_size, "account.lot_size") if message.HasField("lot_size") else ZERO
    return Instrument(
        symbol=message.symbol,
        quantity=from_proto(message.quantity, "account.quantity"),
        currency=message.currency,
        price=from_proto(message.price, "account.price") if message.HasField("price") else None,
        exchange_rate=from_proto(message.exchange_rate, "account.exchange_rate")
        if message.HasField("exchange_rate")
        else None,
        lot_size=lot_size if lot_size > ZERO else _SMALLEST_LOT,
        stale=message.stale,
        is_option=message.is_option,
        multiplier=from_proto(message.multiplier, "account.multiplier")
        if message.HasField("multiplier")
        else Decimal(1),
    )
