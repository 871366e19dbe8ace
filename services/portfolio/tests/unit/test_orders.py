"""The order's states, and the price at which the paper venue fills."""

from dataclasses import replace
from decimal import Decimal
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.portfolio.core.errors import IllegalTransition, InvalidOrder, NotTradable
from quantmesh.portfolio.core.market import Adjustment, Asset, MarketClock, Quote
from quantmesh.portfolio.core.orders import (
    TRANSITIONS,
    ExecutionCosts,
    Fill,
    Order,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    Rejection,
    TimeInForce,
    check_instrument,
    execute,
)

from .samples import START

ASSET = Asset("AAPL", "USD", Adjustment.TOTAL_RETURN, Decimal("0.01"), Decimal(1), tradable=True)
QUOTE = Quote("AAPL", Decimal("130.00"), Decimal("129.95"), Decimal("130.05"), START, stale=False, currency="USD")
OPEN = MarketClock(START, open=True)
FREE = ExecutionCosts(Decimal(0), Decimal(0), Decimal(0))


def request(side: OrderSide = OrderSide.BUY, quantity: str = "10", client_order_id: str = "") -> OrderRequest:
    return OrderRequest("AAPL", side, OrderType.MARKET, Decimal(quantity), TimeInForce.DAY, client_order_id)


def order(status: OrderStatus | None) -> Order:
    return Order(UUID(int=1), UUID(int=2), request(), "USD", START, status)


def test_an_order_takes_the_table_s_steps_and_no_other() -> None:
    for current, wanted in product([None, *OrderStatus], OrderStatus):
        if wanted in TRANSITIONS[current]:
            assert order(current).become(wanted).status is wanted
        else:
            with pytest.raises(IllegalTransition):
                order(current).become(wanted)


def test_final_states_have_no_way_on() -> None:
    assert {status for status in OrderStatus if not TRANSITIONS[status]} == {
        OrderStatus.FILLED,
        OrderStatus.CANCELLED,
        OrderStatus.REJECTED,
    }


def test_each_step_raises_the_version() -> None:
    assert order(None).become(OrderStatus.ACCEPTED).become(OrderStatus.FILLED).version == 2


def test_buys_at_the_ask_and_sells_at_the_bid() -> None:
    assert execute(request(), ASSET, QUOTE, OPEN, FREE) == Fill(Decimal("130.05"), Decimal("0.00"), START)
    sold = execute(request(OrderSide.SELL), ASSET, QUOTE, OPEN, FREE)
    assert sold == Fill(Decimal("129.95"), Decimal("0.00"), START)


def test_slippage_and_ticks_go_against_the_customer() -> None:
    costs = ExecutionCosts(Decimal(0), Decimal(0), slippage_basis_points=Decimal(1))
    bought = execute(request(), ASSET, QUOTE, OPEN, costs)
    sold = execute(request(OrderSide.SELL), ASSET, QUOTE, OPEN, costs)
    # 130.05 * 1.0001 = 130.063005 up to the cent; 129.95 * 0.9999 = 129.937005 down to it.
    assert isinstance(bought, Fill)
    assert isinstance(sold, Fill)
    assert (bought.price, sold.price) == (Decimal("130.07"), Decimal("129.93"))


def test_the_fee_is_of_the_amount_with_a_least_one() -> None:
    costs = ExecutionCosts(Decimal(10), Decimal("1.00"), Decimal(0))
    small, large = (execute(request(quantity=quantity), ASSET, QUOTE, OPEN, costs) for quantity in ("1", "100"))
    assert isinstance(small, Fill)
    assert isinstance(large, Fill)
    assert (small.fee, large.fee) == (Decimal("1.00"), Decimal("13.00"))


@pytest.mark.parametrize(
    ("quote", "clock", "reason"),
    [
        (QUOTE, MarketClock(START, open=False), "the market is closed"),
        (QUOTE, MarketClock(START, open=False, detail="the feed has ended"), "the feed has ended"),
        (None, OPEN, "there is no quote for AAPL"),
        (replace(QUOTE, stale=True), OPEN, "is stale"),
        (replace(QUOTE, bid=None), OPEN, "lacks a side"),
        (replace(QUOTE, ask=Decimal(0)), OPEN, "lacks a side"),
        (replace(QUOTE, bid=Decimal(131)), OPEN, "is crossed: bid 131, ask 130.05"),
    ],
)
def test_nothing_fills_on_a_quote_that_cannot_be_trusted(quote: Quote | None, clock: MarketClock, reason: str) -> None:
    outcome = execute(request(), ASSET, quote, clock, FREE)
    assert isinstance(outcome, Rejection)
    assert reason in outcome.reason


def test_an_instrument_without_a_feed_is_refused() -> None:
    with pytest.raises(NotTradable):
        check_instrument(request(), replace(ASSET, tradable=False))


def test_a_quantity_is_in_whole_lots() -> None:
    check_instrument(request(quantity="200"), replace(ASSET, lot_size=Decimal(100)))
    with pytest.raises(InvalidOrder, match="150 is not a multiple of the lot of 100"):
        check_instrument(request(quantity="150"), replace(ASSET, lot_size=Decimal(100)))


@pytest.mark.parametrize(
    ("symbol", "quantity", "client_order_id", "field"),
    [
        ("aapl", "1", "", "symbol"),
        ("AAPL", "0", "", "quantity"),
        ("AAPL", "-1", "", "quantity"),
        ("AAPL", "NaN", "", "quantity"),
        ("AAPL", "1", "x" * 129, "client_order_id"),
        ("AAPL", "1", "a\nb", "client_order_id"),
    ],
)
def test_a_request_names_the_field_that_is_wrong(symbol: str, quantity: str, client_order_id: str, field: str) -> None:
    with pytest.raises(InvalidOrder) as refused:
        OrderRequest(symbol, OrderSide.BUY, OrderType.MARKET, Decimal(quantity), TimeInForce.DAY, client_order_id)
    assert [violation.field for violation in refused.value.violations] == [field]


_cents = st.integers(1, 10**6).map(lambda cents: Decimal(cents) / 100)


@given(bid=_cents, spread=_cents, slippage=st.integers(0, 100), side=st.sampled_from(OrderSide))
def test_a_fill_is_never_better_than_the_quote(bid: Decimal, spread: Decimal, slippage: int, side: OrderSide) -> None:
    quote = replace(QUOTE, bid=bid, ask=bid + spread)
    outcome = execute(request(side), ASSET, quote, OPEN, ExecutionCosts(Decimal(0), Decimal(0), Decimal(slippage)))
    if isinstance(outcome, Fill):
        assert outcome.price % ASSET.tick_size == 0
        assert outcome.price >= bid + spread if side is OrderSide.BUY else outcome.price <= bid
    else:
        assert "below one tick" in outcome.reason
