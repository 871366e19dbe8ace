"""Rebalancing on a real Postgres: plans that record nothing, and baskets that are filled whole or not at all."""

import asyncio
import json
import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.errors import Conflict, InvalidInput, NotFound
from quantmesh.chassis.sql import text
from quantmesh.portfolio.core.errors import RateMissing, UnknownSymbol
from quantmesh.portfolio.core.pre_trade import PreTradeAnswer
from quantmesh.portfolio.core.pre_trade_errors import LimitDenial, LimitExceeded
from quantmesh.portfolio.core.rebalance_errors import BasketRefused, CannotRebalance, InvalidRebalance

from .fakes import NO_CONTEXT, Service, asset, quote
from .order_desk import sized
from .rebalancers import BUY, SELL, invested, rebalancer
from .test_lots_and_options import account as margin_account


async def test_a_plan_tells_costs_and_gains_and_records_nothing(service: Service) -> None:
    user = service.user()
    portfolio = await invested(user, "9800.00")
    before = await user.events(portfolio)
    plan = await rebalancer(service, user).plan(portfolio, {"AAPL": 0.5, "MSFT": 0.5})
    assert [(trade.symbol, trade.side, trade.quantity.value) for trade in plan.trades] == [
        ("AAPL", SELL, "50"),
        ("MSFT", BUY, "27"),
    ]
    sale, purchase = plan.trades
    # Fifty of the oldest lot, which cost 90, at the bid of 129.95; the fee is a basis point.
    assert (sale.estimated_price.value, sale.realized_gain.value, sale.slippage.value) == ("129.95", "1997.50", "2.50")
    assert (sale.fee.value, purchase.fee.value) == ("0.65", "0.65")
    assert plan.cash.value == "0.00"
    assert Decimal(plan.cash_after.value) == Decimal("6497.50") - 27 * Decimal("240.05") - Decimal("1.30")
    assert (plan.drift, plan.seq, plan.lot_method) == (0.5, 3, pb.LOT_METHOD_FIFO)
    assert plan.drift_after < 0.03
    assert await user.events(portfolio) == before


async def test_gains_are_those_of_the_accounts_lots_and_are_kept_within_a_budget(service: Service) -> None:
    user = service.user()
    portfolio = await invested(user, "9800.00")
    own = rebalancer(service, user)
    all_of_it = await own.plan(portfolio, {"MSFT": 1.0})
    # 60 units from 90 and 40 from 110, to 129.95.
    assert all_of_it.realized_gain.value == "3195.00"
    some = await own.plan(portfolio, {"MSFT": 1.0}, maximum_realized_gain="1000")
    assert [trade.quantity.value for trade in some.trades if trade.side == SELL] == ["25"]
    assert Decimal(some.realized_gain.value) <= 1000
    none = await own.plan(portfolio, {"MSFT": 1.0}, maximum_realized_gain="0")
    assert not none.trades


async def test_what_open_orders_keep_is_neither_sold_nor_spent(service: Service) -> None:
    user = service.user()
    portfolio = await invested(user)
    await user.order(portfolio, "70", side="sell", limit="500", tif="gtc")
    await user.order(portfolio, "300", limit="100", symbol="MSFT", tif="gtc")
    plan = await rebalancer(service, user).plan(portfolio, {})
    assert [(trade.symbol, trade.quantity.value) for trade in plan.trades] == [("AAPL", "30")]
    assert Decimal(plan.cash.value) == 100_000 - 9_800 - 30_003


async def test_a_symbol_that_is_a_currencys_code_keeps_nothing_of_that_currency(service: Service) -> None:
    """USD is a fund of New York, too."""
    service.market.known["USD"], service.market.live["USD"] = asset("USD"), quote("USD", "50.00")
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "1000.00")
    await user.buy(portfolio.id, "10", "50", symbol="USD")
    await user.order(portfolio.id, "6", side="sell", limit="60", symbol="USD", tif="gtc")
    await user.order(portfolio.id, "1", limit="100", tif="gtc")
    plan = await rebalancer(service, user).plan(portfolio.id, {})
    assert [(trade.symbol, trade.quantity.value) for trade in plan.trades] == [("USD", "4")]
    assert plan.cash.value == "399.99"


@pytest.mark.parametrize(
    ("weights", "wishes", "field"),
    [
        ({"AAPL": 0.7, "MSFT": 0.4}, {}, "target_weights"),
        ({"AAPL": -0.1}, {}, "target_weights.AAPL"),
        ({"AAPL": float("nan")}, {}, "target_weights.AAPL"),
        ({"AAPL": 0.5}, {"cash_buffer": "-1"}, "cash_buffer"),
        ({"AAPL": 0.5}, {"minimum_trade": "-1"}, "minimum_trade"),
        ({"AAPL": 0.5}, {"maximum_realized_gain": "-1"}, "maximum_realized_gain"),
    ],
)
async def test_wishes_that_make_no_sense_name_their_field(
    service: Service, weights: dict[str, float], wishes: dict[str, str], field: str
) -> None:
    user = service.user()
    portfolio = await user.create()
    with pytest.raises(InvalidRebalance) as refused:
        await rebalancer(service, user).plan(portfolio.id, weights, **wishes)
    assert [violation.field for violation in refused.value.violations] == [field]


async def test_what_cannot_be_weighed_is_refused_with_its_reason(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    own = rebalancer(service, user)
    for symbol, error, named in (
        ("NOPE", UnknownSymbol, "NOPE"),
        ("SAP", RateMissing, "from EUR into USD"),
        ("IBM", CannotRebalance, "IBM"),
    ):
        with pytest.raises(error, match=named):
            await own.plan(portfolio.id, {symbol: 0.5})
    with pytest.raises(NotFound):
        await own.plan(str(uuid.uuid4()), {"AAPL": 0.5})


async def test_a_closed_market_plans_at_the_last_quotes_and_says_so(service: Service) -> None:
    user = service.user()
    portfolio = await invested(user, "9800.00")
    service.market.open = False
    plan = await rebalancer(service, user).plan(portfolio, {})
    assert [trade.stale for trade in plan.trades] == [True]


async def test_a_basket_is_one_with_its_sales_first(service: Service) -> None:
    user = service.user()
    portfolio = await invested(user, "9800.00")
    own = rebalancer(service, user)
    # There is no cash for the purchase before the sale.
    answer = await own.execute(portfolio, ("MSFT", BUY, "26"), ("AAPL", SELL, "50"))
    assert [(order.symbol, order.status) for order in answer.orders] == [
        ("AAPL", pb.ORDER_STATUS_FILLED),
        ("MSFT", pb.ORDER_STATUS_FILLED),
    ]
    assert {order.basket_id for order in answer.orders} == {answer.basket_id}
    assert [len(order.fills) for order in answer.orders] == [1, 1]
    (asked,) = own.judge.asked
    assert [(trade.request.symbol, trade.request.quantity) for trade in asked] == [
        ("AAPL", Decimal(50)),
        ("MSFT", Decimal(26)),
    ]
    log = await user.events(portfolio, after=3)
    assert [event.type for event in log.events] == ["order.accepted", "order.filled", "transaction.recorded"] * 2
    assert [event.seq for event in log.events] == [4, 5, 6, 7, 8, 9]
    assert json.loads(log.events[0].data_json)["basket_id"] == answer.basket_id
    user.call()
    alone = (await user.rpc.GetOrder(pb.GetOrderRequest(id=answer.orders[0].id), NO_CONTEXT)).order
    assert alone.basket_id == answer.basket_id


async def test_what_was_planned_can_be_placed_as_it_is(service: Service) -> None:
    user = service.user()
    portfolio = await invested(user, "15000.00")
    own = rebalancer(service, user)
    plan = await own.plan(portfolio, {"AAPL": 0.3, "MSFT": 0.7}, cash_buffer="100")
    await own.execute(portfolio, *((each.symbol, each.side, each.quantity.value) for each in plan.trades))
    positions = await user.positions(portfolio)
    assert positions.cash[0].amount.value == plan.cash_after.value
    assert Decimal(plan.cash_after.value) >= 100
    assert not (await own.plan(portfolio, {"AAPL": 0.3, "MSFT": 0.7}, cash_buffer="100", minimum_trade="300")).trades


async def test_baskets_that_trade_the_same_symbols_the_other_way_round_do_not_wait_for_each_other(
    service: Service,
) -> None:
    service.market.live |= {symbol: sized("100", "1000", symbol=symbol) for symbol in ("AAPL", "MSFT")}
    baskets = [(("AAPL", SELL, "1"), ("MSFT", BUY, "1")), (("MSFT", SELL, "1"), ("AAPL", BUY, "1"))]
    placing = []
    for number in range(8):
        user = service.user()
        portfolio = await invested(user)
        await user.buy(portfolio, "10", "100", "2020-01-07", symbol="MSFT")
        placing.append(rebalancer(service, user).execute(portfolio, *baskets[number % 2]))
    for answer in await asyncio.gather(*placing):
        assert {order.status for order in answer.orders} == {pb.ORDER_STATUS_FILLED}


@pytest.mark.parametrize("trouble", ["stale", "cash", "units", "size", "limit"])
async def test_a_basket_of_which_one_order_cannot_be_filled_leaves_nothing(service: Service, trouble: str) -> None:
    user = service.user()
    portfolio = await invested(user, "9800.00")
    own = rebalancer(service, user)
    orders = [("AAPL", SELL, "50"), ("MSFT", BUY, "26")]
    error: type[Exception] = BasketRefused
    if trouble == "stale":
        service.market.live["MSFT"] = quote("MSFT", "240.00", stale=True)
    elif trouble == "cash":
        orders = [("AAPL", SELL, "50"), ("MSFT", BUY, "28")]
    elif trouble == "units":
        orders = [("AAPL", SELL, "101"), ("MSFT", BUY, "1")]
    elif trouble == "size":
        service.market.live["MSFT"] = replace(quote("MSFT", "240.00"), ask_size=Decimal(20), bid_size=Decimal(20))
    else:
        error = LimitExceeded
        own.judge.answer = PreTradeAnswer(LimitExceeded([LimitDenial("leverage", "1", "0.9", "1.2")], None))
    before = await user.events(portfolio)
    with pytest.raises(error) as refused:
        await own.execute(portfolio, *orders)
    if isinstance(refused.value, BasketRefused):
        wrong = "orders[0]" if trouble == "units" else "orders[1]"
        assert [violation.field for violation in refused.value.violations] == [wrong]
    assert await user.events(portfolio) == before
    async with service.database.system_transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM placed_order")) == 0
        assert await session.scalar(text("SELECT sum(reserved) FROM holding")) == 0


async def test_a_basket_of_which_one_order_would_leave_too_much_owed_says_which(service: Service) -> None:
    """Shares for 2,920.70 dollars need half of that, and after fees 999.71 are there; four of AAPL alone would pass."""
    user, portfolio_id = await margin_account(service, margin=True, cash="1000.00")
    before = await user.events(portfolio_id)
    with pytest.raises(BasketRefused, match="that for MSFT cannot be filled: This needs an equity of") as refused:
        await rebalancer(service, user).execute(portfolio_id, ("AAPL", BUY, "4"), ("MSFT", BUY, "10"))
    (denial,) = json.loads(refused.value.metadata["denials"])
    assert (denial["rule"], denial["symbol"], denial["currency"], denial["shortfall"]) == (
        "margin", "MSFT", "USD", "460.64",
    )  # fmt: skip
    assert "suggestion" not in refused.value.metadata
    assert await user.events(portfolio_id) == before


async def test_a_basket_is_placed_once_per_key(service: Service) -> None:
    user = service.user()
    portfolio = await invested(user)
    own = rebalancer(service, user)

    async def place() -> Any:
        try:
            return await own.execute(portfolio, ("AAPL", SELL, "50"), key="once")
        except Conflict:
            return None

    answers = [each for each in await asyncio.gather(*(place() for _ in range(5))) if each is not None]
    service.market.available = False
    answers.append(await own.execute(portfolio, ("AAPL", SELL, "50"), key="once"))
    assert len({answer.basket_id for answer in answers}) == 1
    assert (await user.events(portfolio)).last_seq == 6


async def test_a_basket_that_makes_no_sense_names_its_field(service: Service) -> None:
    user = service.user()
    portfolio = await invested(user)
    own = rebalancer(service, user)
    for orders, field in (
        ([], "orders"),
        ([("AAPL", SELL, "1"), ("AAPL", BUY, "1")], "orders"),
        ([("AAPL", SELL, "1"), ("MSFT", BUY, "0")], "orders[1].quantity"),
        ([("AAPL", pb.ORDER_SIDE_UNSPECIFIED, "1")], "orders[0].side"),
        ([("MSFT", BUY, "1"), ("NOPE", SELL, "1")], "orders[1].symbol"),
        ([("MSFT", BUY, "1"), ("AAPL", SELL, "1.5")], "orders[1].quantity"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await own.execute(portfolio, *orders)
        assert [violation.field for violation in refused.value.violations] == [field]
