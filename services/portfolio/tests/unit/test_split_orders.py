"""Which orders a split ends, and that it ends none where it is refused."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from quantmesh.portfolio.core.admission import Books
from quantmesh.portfolio.core.balance import BalanceHistory
from quantmesh.portfolio.core.errors import InsufficientHolding
from quantmesh.portfolio.core.model import TransactionInput
from quantmesh.portfolio.core.orders import Order, OrderSide
from quantmesh.portfolio.core.posting_rules import CASH, SECURITIES
from quantmesh.portfolio.core.split_orders import RestingOrders

from .order_samples import order, request
from .samples import START, asked, deposit

HELD = SECURITIES, "AAPL"
AT = START + timedelta(minutes=5)


def sale(quantity: str, priced_at: datetime | None) -> Order:
    return order(request(OrderSide.SELL, quantity), reserved=Decimal(quantity), priced_at=priced_at)


def books(held: str, reserved: str, cash_reserved: str = "0") -> Books:
    return Books(
        {
            HELD: BalanceHistory(Decimal(held), reserved=Decimal(reserved)),
            (CASH, "USD"): BalanceHistory(Decimal(100), reserved=Decimal(cash_reserved)),
        }
    )


def split(ratio: str) -> TransactionInput:
    return asked("split", AT, symbol="AAPL", split_ratio=ratio)


@pytest.mark.parametrize(
    ("priced_at", "is_before"),
    [(START, True), (AT - timedelta(microseconds=1), True), (AT, False), (AT + timedelta(days=1), False), (None, True)],
)
def test_an_order_is_from_before_a_split_by_when_it_was_priced(priced_at: datetime | None, is_before: bool) -> None:
    assert order(priced_at=priced_at).is_from_before(AT) is is_before


def test_units_that_ended_orders_reserved_are_free_for_the_split_and_what_follows() -> None:
    known = books("10", "10")
    RestingOrders([sale("6", START), sale("4", None)]).admit(split("0.5"), "USD", known)
    assert known.balance(HELD).headroom(AT).amount == 5


def test_a_refused_split_leaves_what_orders_reserve() -> None:
    known = books("10", "10")
    resting = RestingOrders([sale("4", START), sale("6", AT)])
    with pytest.raises(InsufficientHolding):
        resting.admit(split("0.5"), "USD", known)
    assert known.balance(HELD).headroom(AT).amount == 0
    # Another one may come, that leaves enough.
    resting.admit(split("0.9"), "USD", known)
    assert known.balance(HELD).headroom(AT).amount == 3


def test_an_order_ends_once_and_only_with_a_split_of_its_own_symbol() -> None:
    known = books("10", "6", "50")
    purchase = order(request(OrderSide.BUY), reserved=Decimal(50), priced_at=START)
    resting = RestingOrders([sale("6", START), purchase])
    resting.admit(deposit("1", AT), "USD", known)
    assert known.balance(HELD).headroom(AT).amount == 4
    resting.admit(split("2"), "USD", known)
    resting.admit(split("2"), "USD", known)
    assert known.balance(HELD).headroom(AT).amount == 40
    assert known.balance((CASH, "USD")).headroom(AT).amount == 101
