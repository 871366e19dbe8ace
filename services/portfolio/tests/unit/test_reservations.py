"""What an open order keeps of the account, and the largest one that the account can carry."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.portfolio.core.admission import Books
from quantmesh.portfolio.core.balance import BalanceHistory
from quantmesh.portfolio.core.buying_power import required
from quantmesh.portfolio.core.errors import InsufficientCash, InsufficientHolding
from quantmesh.portfolio.core.execution import ExecutionCosts
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.orders import Order, OrderSide
from quantmesh.portfolio.core.posting_rules import CASH, SECURITIES
from quantmesh.portfolio.core.reservations import affordable, cost_of, reservation, worst_price

from .order_samples import ASSET, FREE, order, request, venue
from .samples import START, day

COSTS = ExecutionCosts(Decimal(10), Decimal("0.05"), Decimal(1))


@pytest.mark.parametrize(
    ("prices", "worst"),
    [
        ({}, "130.07"),
        ({"limit_price": "131"}, "131"),
        ({"stop_price": "131"}, "131.02"),
        ({"stop_price": "131", "limit_price": "132"}, "132"),
    ],
)
def test_a_purchase_reserves_at_the_worst_price_it_may_pay(prices: dict[str, Any], worst: str) -> None:
    # The ask of 130.05 and the stop of 131 slip by a basis point, up to the next cent.
    assert worst_price(order(request(**prices)), venue(COSTS)) == Decimal(worst)


def test_a_stop_that_was_triggered_pays_what_the_market_asks() -> None:
    triggered = order(request(stop_price="131"), triggered_at=START)
    assert worst_price(triggered, venue(COSTS)) == Decimal("130.07")


def test_without_a_quote_nobody_knows_what_a_market_order_costs() -> None:
    assert worst_price(order(), venue(quote=None)) is None


def test_cash_is_reserved_with_the_fee_and_rounded_up() -> None:
    # 3 x 33.335 = 100.005 up to the cent, and 10 basis points of it.
    buying = order(request(quantity="3", limit_price="33.335"))
    assert reservation(buying, Decimal("33.335"), ASSET, COSTS) == Decimal("100.01") + Decimal("0.10")


def test_units_are_reserved_as_they_are() -> None:
    selling = order(request(OrderSide.SELL, limit_price="140"), filled_quantity=Decimal(4))
    assert reservation(selling, Decimal(140), ASSET, COSTS) == Decimal(6)


def test_what_is_filled_needs_nothing_any_more() -> None:
    partly = order(request(limit_price="130"), filled_quantity=Decimal(9), notional=Decimal(1170), fee=Decimal("1.17"))
    # 130 for the last unit, and of the whole order's fee of 1.30 what is not charged yet.
    assert reservation(partly, Decimal(130), ASSET, COSTS) == Decimal("130.13")


_quantities = st.integers(1, 10**4).map(Decimal)
_prices = st.integers(1, 10**6).map(lambda mills: Decimal(mills) / 1000)


@given(quantity=_quantities, price=_prices, cash=st.integers(0, 10**8).map(lambda cents: Decimal(cents) / 100))
def test_the_largest_affordable_quantity_passes_and_one_lot_more_does_not(
    quantity: Decimal, price: Decimal, cash: Decimal
) -> None:
    buying = order(request(quantity=str(quantity)))
    most = affordable(buying, cash, price, ASSET, COSTS)
    assert ZERO <= most <= quantity
    assert cost_of(buying, most, price, ASSET, COSTS) <= cash
    if most < quantity:
        assert cost_of(buying, most + 1, price, ASSET, COSTS) > cash


def test_lots_stay_whole() -> None:
    hundreds = replace(ASSET, lot_size=Decimal(100))
    buying, selling = order(request(quantity="900")), order(request(OrderSide.SELL, "900"))
    assert affordable(buying, Decimal(25_000), Decimal(100), hundreds, FREE) == 200
    assert affordable(selling, Decimal(250), Decimal(100), hundreds, FREE) == 200


def books(cash: str = "0", units: str = "0", reserved: str = "0") -> Books:
    return Books(
        {
            (CASH, "USD"): BalanceHistory(Decimal(cash), reserved=Decimal(reserved)),
            (SECURITIES, "AAPL"): BalanceHistory(Decimal(units), reserved=Decimal(reserved)),
        }
    )


def new(**asked: str) -> Order:
    side = OrderSide(asked.pop("side", "buy"))
    return order(request(side, **asked), None)


def test_a_denial_says_needed_available_short_and_what_would_pass() -> None:
    asked = new(quantity="10", limit_price="130", client_order_id="mine", tif="gtc")
    with pytest.raises(InsufficientCash, match=r"needs 1300\.00 USD, but only 700\.00 is there") as denied:
        required(books("1000", reserved="300"), asked, Decimal(130), venue(), START)
    told = denied.value.metadata
    assert (told["needed"], told["available"], told["shortfall"]) == ("1300.00", "700.00", "600.00")
    assert "beside 300.00 that open orders reserve" in denied.value.detail
    assert told["rule"] == "buying_power"
    assert told["suggestion"] == (
        '{"portfolio_id": "00000000-0000-0000-0000-000000000002", "client_order_id": "mine", "symbol": "AAPL",'
        ' "side": "buy", "type": "limit", "quantity": "5", "limit_price": "130", "time_in_force": "gtc"}'
    )


def test_where_not_one_lot_passes_nothing_is_suggested() -> None:
    with pytest.raises(InsufficientHolding) as denied:
        required(books(units="3", reserved="3"), new(side="sell", quantity="1"), Decimal(130), venue(), START)
    assert "suggestion" not in denied.value.metadata


def test_a_replacement_may_spend_what_its_order_reserves() -> None:
    resting = order(request(quantity="10", limit_price="30"), reserved=Decimal(300), version=1)
    bigger = replace(resting, request=replace(resting.request, quantity=Decimal(20)))
    assert required(books("600", reserved="300"), bigger, Decimal(30), venue(), START) == 600
    with pytest.raises(InsufficientCash) as denied:
        required(books("599", reserved="300"), bigger, Decimal(30), venue(), START)
    assert denied.value.metadata["suggestion"] == '{"quantity": "19", "limit_price": "30"}'


def test_margin_decides_elsewhere_what_an_account_may_owe() -> None:
    owing = replace(books("0"), may_owe=True)
    assert required(owing, new(quantity="1", limit_price="130"), Decimal(130), venue(), START) == Decimal(130)


def test_what_is_reserved_is_missing_today_and_not_in_the_past() -> None:
    history = BalanceHistory(Decimal(100), [(day(5), Decimal(90))], reserved=Decimal(80))
    assert history.headroom(day(1)).amount == 10
    today = history.headroom(day(5))
    assert (today.amount, today.reserved, today.later) == (Decimal(20), Decimal(80), False)
    assert history.headroom(day(5), own=Decimal(80)).amount == 100
