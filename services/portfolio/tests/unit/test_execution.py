"""Whether, at what price and at what cost the paper venue trades an order on a quote."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.portfolio.core.execution import (
    ExecutionCosts,
    check_instrument,
    execution_price,
    fee_of,
    is_triggered,
    quote_problem,
)
from quantmesh.portfolio.core.halts.model import Halt, HaltKind
from quantmesh.portfolio.core.liquidity import LiquidityRequest
from quantmesh.portfolio.core.market import MarketClock, Quote
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.order_errors import InvalidOrder, NotTradable
from quantmesh.portfolio.core.orders import OrderSide

from .order_samples import ASSET, FREE, OPEN, QUOTE, order, request, venue
from .samples import START

SLIPPING = ExecutionCosts(Decimal(0), Decimal(0), slippage_basis_points=Decimal(1))


def price(side: OrderSide, costs: ExecutionCosts = FREE, **prices: str) -> str | None:
    found = execution_price(request(side, **prices), QUOTE, ASSET, costs)
    return None if found is None else str(found)


def test_buys_at_the_ask_and_sells_at_the_bid() -> None:
    assert (price(OrderSide.BUY), price(OrderSide.SELL)) == ("130.05", "129.95")


def test_slippage_and_ticks_go_against_the_customer() -> None:
    # 130.05 * 1.0001 = 130.063005 up to the cent; 129.95 * 0.9999 = 129.937005 down to it.
    assert (price(OrderSide.BUY, SLIPPING), price(OrderSide.SELL, SLIPPING)) == ("130.07", "129.93")


def test_a_limit_is_never_passed_not_even_by_slippage() -> None:
    assert price(OrderSide.BUY, SLIPPING, limit_price="130.06") == "130.06"
    assert price(OrderSide.SELL, SLIPPING, limit_price="129.94") == "129.94"


def test_what_is_out_of_reach_does_not_trade() -> None:
    assert price(OrderSide.BUY, limit_price="130.04") is None
    assert price(OrderSide.SELL, limit_price="129.96") is None
    assert price(OrderSide.BUY, limit_price="130.05") == "130.05"


@pytest.mark.parametrize(
    ("side", "stop", "triggered"),
    [
        (OrderSide.BUY, "130.01", False),
        (OrderSide.BUY, "130", True),
        (OrderSide.BUY, "129", True),
        (OrderSide.SELL, "129.99", False),
        (OrderSide.SELL, "130", True),
        (OrderSide.SELL, "131", True),
    ],
)
def test_a_stop_waits_for_the_last_price(side: OrderSide, stop: str, triggered: bool) -> None:
    assert is_triggered(request(side, stop_price=stop), QUOTE) is triggered


def test_the_fee_is_of_the_amount_with_a_least_one() -> None:
    costs = ExecutionCosts(Decimal(10), Decimal("1.00"), Decimal(0))
    assert fee_of(order(), Decimal("130.05"), ASSET, costs) == Decimal("1.00")
    assert fee_of(order(), Decimal(13_005), ASSET, costs) == Decimal("13.00")


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=6), st.integers(0, 100), st.integers(0, 300))
def test_the_fees_of_the_parts_are_the_fee_of_the_whole(parts: list[int], points: int, least: int) -> None:
    costs = ExecutionCosts(Decimal(points), Decimal(least) / 100, Decimal(0))
    filling = order()
    for cents in parts:
        notional = Decimal(cents) / 100
        fee = fee_of(filling, notional, ASSET, costs)
        assert fee >= ZERO
        filling = replace(filling, notional=filling.notional + notional, fee=filling.fee + fee)
    assert filling.fee == fee_of(order(), Decimal(sum(parts)) / 100, ASSET, costs)


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
def test_nothing_trades_on_a_quote_that_cannot_be_trusted(quote: Quote | None, clock: MarketClock, reason: str) -> None:
    assert reason in (quote_problem("AAPL", quote, clock) or "")
    assert venue(quote=quote, clock=clock).tradable_quote is None


def test_nothing_trades_in_a_halt() -> None:
    halt = Halt(UUID(int=3), HaltKind.OPERATOR, "AAPL", "news", "rule", START)
    halted = replace(venue(), halt=halt)
    assert (halted.problem, halted.tradable_quote) == (halt.reason, None)


def test_an_instrument_without_a_feed_is_refused() -> None:
    with pytest.raises(NotTradable):
        check_instrument(request(), replace(ASSET, tradable=False))


def test_a_quantity_is_in_whole_lots() -> None:
    check_instrument(request(quantity="200"), replace(ASSET, lot_size=Decimal(100)))
    with pytest.raises(InvalidOrder, match="150 is not a multiple of the lot of 100"):
        check_instrument(request(quantity="150"), replace(ASSET, lot_size=Decimal(100)))


def test_prices_are_on_the_tick_and_a_refusal_names_the_next_ones() -> None:
    check_instrument(request(limit_price="130.05", stop_price="129.9"), ASSET)
    with pytest.raises(
        InvalidOrder, match=r"130\.055 is not a multiple of the tick of 0\.01: 130\.05 or 130\.06"
    ) as off:
        check_instrument(request(limit_price="130.055", stop_price="129.999"), ASSET)
    assert [violation.field for violation in off.value.violations] == ["limit_price", "stop_price"]


_cents = st.integers(1, 10**6).map(lambda cents: Decimal(cents) / 100)


@given(bid=_cents, spread=_cents, slippage=st.integers(0, 100), side=st.sampled_from(OrderSide))
def test_a_fill_is_never_better_than_the_quote(bid: Decimal, spread: Decimal, slippage: int, side: OrderSide) -> None:
    quote = replace(QUOTE, bid=bid, ask=bid + spread)
    costs = ExecutionCosts(Decimal(0), Decimal(0), Decimal(slippage))
    found = execution_price(request(side), quote, ASSET, costs)
    if found is None:
        assert side is OrderSide.SELL
        assert bid * (1 - Decimal(slippage) / 10_000) < ASSET.tick_size
    else:
        assert found % ASSET.tick_size == 0
        assert found >= bid + spread if side is OrderSide.BUY else found <= bid


@pytest.mark.parametrize(
    ("wanted", "used", "ahead", "whole", "granted"),
    [
        ("5", "0", "0", False, "5"),
        ("5", "7", "0", False, "3"),
        ("5", "7", "2", False, "1"),
        ("5", "7", "9", False, "0"),
        ("5", "7", "0", True, "0"),
        ("5", "5", "0", True, "5"),
        ("5", "7.5", "0", False, "2"),
    ],
)
def test_a_quote_gives_what_is_left_of_its_size_in_whole_lots(
    wanted: str, used: str, ahead: str, whole: bool, granted: str
) -> None:
    asked = LiquidityRequest(order(), QUOTE, Decimal(wanted), Decimal(1), whole, behind_resting=True)
    assert asked.granted(Decimal(10), Decimal(used), Decimal(ahead)) == Decimal(granted)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("lot", ["0", "1", "2"])
@pytest.mark.parametrize("size", ["0", "0.5", "3", "4.5"])
def test_what_a_quote_gives_at_most_it_gives_wherever_that_is_there(size: str, lot: str, whole: bool) -> None:
    quote, amounts = replace(QUOTE, ask_size=Decimal(size)), [Decimal(half) / 2 for half in range(10)]
    for wanted, used, ahead in product((Decimal(2), Decimal(4), Decimal(6)), amounts, amounts):
        asked = LiquidityRequest(order(), quote, wanted, Decimal(lot), whole, behind_resting=True)
        if used + asked.at_most + ahead <= Decimal(size) or not asked.at_most:
            assert asked.granted(Decimal(size), used, ahead) == asked.at_most


def test_each_side_of_a_quote_is_good_for_the_other() -> None:
    quote = replace(QUOTE, ask_size=Decimal(3), bid_size=Decimal(4))
    sizes = {
        side: LiquidityRequest(order(request(side)), quote, Decimal(1), Decimal(1), False, behind_resting=False).size
        for side in OrderSide
    }
    assert sizes == {OrderSide.BUY: Decimal(3), OrderSide.SELL: Decimal(4)}


def test_a_day_order_has_expired_from_its_close_on() -> None:
    lasting = order(expires_at=START)
    assert lasting.has_expired(START)
    assert not lasting.has_expired(START - timedelta(microseconds=1))
    assert not order().has_expired(START)
