"""Rebalancing in several currencies on a real Postgres: each pays for its own purchases, and a basket is still one."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.api.portfolio.v1.rebalance_pb2 import CurrencyCash
from quantmesh.chassis.errors import QuantmeshError
from quantmesh.chassis.sql import text
from quantmesh.portfolio.core.errors import RateMissing
from quantmesh.portfolio.core.market import Adjustment
from quantmesh.portfolio.core.rebalance_errors import BasketRefused, CannotRebalance, RateStale

from .fakes import NOW, Service, User, asset, quote
from .rebalancers import BUY, SELL, rebalancer

LATER = NOW.replace(minute=30)


@pytest.fixture
def european(service: Service) -> Service:
    """AAPL at 100 dollars and SAP at 50 euros of 1.10 dollars, five cents to either side; TOYO at 2,000 yen a unit of
    0.0075 dollars, in lots of a hundred."""
    market = service.market
    market.known["TOYO"] = replace(asset("TOYO", Adjustment.RAW, "JPY"), lot_size=Decimal(100), tick_size=Decimal(1))
    market.live = {
        "AAPL": quote("AAPL", "100.00"),
        "SAP": replace(quote("SAP", "50.00"), currency="EUR"),
        "TOYO": replace(quote("TOYO", "2000"), bid=Decimal(1999), ask=Decimal(2001), currency="JPY"),
    }
    market.rates = {
        ("EUR", "USD"): {NOW.date(): Decimal("1.10")},
        ("JPY", "USD"): {NOW.date(): Decimal("0.0075")},
    }
    return service


async def funded(user: User, **cash: str) -> str:
    portfolio = await user.create()
    for currency, amount in cash.items():
        await user.record(portfolio.id, type="deposit", amount=amount, currency=currency, at="2020-01-02")
    return portfolio.id


async def bought(user: User, portfolio_id: str, symbol: str, quantity: str, price: str) -> None:
    await user.record(portfolio_id, type="buy", symbol=symbol, quantity=quantity, price=price, at="2020-01-03")


async def cash_of(user: User, portfolio_id: str) -> dict[str, str]:
    return {each.currency: each.amount.value for each in (await user.positions(portfolio_id)).cash}


def row(cash: CurrencyCash) -> list[str]:
    shown = (cash.before, cash.proceeds, cash.purchases, cash.fees, cash.after, cash.shortfall)
    return [each.value for each in shown]


def asked(orders: Any) -> list[tuple[str, Any, str]]:
    return [(each.symbol, each.side, each.quantity.value) for each in orders]


async def test_what_a_plan_suggests_for_a_short_currency_passes_to_the_cent(european: Service) -> None:
    """11,100 dollars in halves: 55 AAPL, and 101 SAP, of which 1,000 euros pay for 19 at 50.05 and a fee of 0.10.

    The other 82 cost 4,104.10 and 0.41, of which 48.95 are there: 4,055.56 euros, or 4,461.12 of the 4,496.70 dollars.
    """
    user = european.user()
    portfolio = await funded(user, USD="10000.00", EUR="1000.00")
    own = rebalancer(european, user)
    plan = await own.plan(portfolio, {"AAPL": 0.5, "SAP": 0.5})
    assert asked(plan.trades) == [("AAPL", BUY, "55"), ("SAP", BUY, "19")]
    assert [each.currency for each in plan.trades] == ["USD", "EUR"]
    assert {each.currency: row(each) for each in plan.cash_by_currency} == {
        "EUR": ["1000.00", "0.00", "950.95", "0.10", "48.95", "4055.56"],
        "USD": ["10000.00", "0.00", "5502.75", "0.55", "4496.70", "0.00"],
    }
    assert (plan.invested.value, plan.fees.value) == ("11100.00", "0.66")
    assert [(each.currency, each.rate.value, each.date) for each in plan.exchange_rates] == [
        ("EUR", "1.1", "2022-12-20")
    ]
    await own.execute(portfolio, *asked(plan.trades))
    assert await cash_of(user, portfolio) == {each.currency: each.after.value for each in plan.cash_by_currency}
    european.market.time = LATER
    european.market.live["SAP"] = replace(european.market.live["SAP"], time=LATER)
    kinds = {pb.TRANSACTION_TYPE_WITHDRAWAL: "withdrawal", pb.TRANSACTION_TYPE_DEPOSIT: "deposit"}
    for move in plan.suggestion.transactions:
        amount = move.amount.value
        await user.record(portfolio, type=kinds[move.type], amount=amount, currency=move.currency, at=LATER.isoformat())
    await own.execute(portfolio, *asked(plan.suggestion.orders))
    assert await cash_of(user, portfolio) == {"EUR": "0.00", "USD": "35.58"}
    assert (await own.plan(portfolio, {"AAPL": 0.5, "SAP": 0.5}, minimum_trade="60")).drift < 0.01


async def test_weights_are_of_the_value_that_positions_show(european: Service) -> None:
    user = european.user()
    portfolio = await funded(user, USD="500.00", EUR="1000.00", JPY="600000")
    await bought(user, portfolio, "SAP", "7", "51.30")
    await bought(user, portfolio, "TOYO", "200", "1801")
    plan = await rebalancer(european, user).plan(portfolio, {"SAP": 0.3, "TOYO": 0.7})
    assert plan.invested.value == (await user.positions(portfolio)).total_value.amount.value
    assert plan.cash.value == (await user.positions(portfolio)).cash_value.amount.value


async def test_a_basket_in_three_currencies_is_one_and_each_pays_for_its_own(european: Service) -> None:
    user = european.user()
    portfolio = await funded(user, USD="1000.00", EUR="1000.00", JPY="400240")
    await bought(user, portfolio, "AAPL", "10", "100")
    await bought(user, portfolio, "SAP", "20", "50")
    own = rebalancer(european, user)
    answer = await own.execute(portfolio, ("TOYO", BUY, "200"), ("AAPL", SELL, "4"), ("SAP", SELL, "6"))
    assert [order.symbol for order in answer.orders] == ["AAPL", "SAP", "TOYO"]
    assert {order.status for order in answer.orders} == {pb.ORDER_STATUS_FILLED}
    # 399.80 less 0.04; 299.70 less 0.03; two lots at 2,001 and a fee of 40.
    assert await cash_of(user, portfolio) == {"USD": "399.76", "EUR": "299.67", "JPY": "0"}


@pytest.mark.parametrize("trouble", ["cash", "units", "stale", "size"])
async def test_a_basket_leaves_nothing_in_any_currency_where_one_order_cannot_be_filled(
    european: Service, trouble: str
) -> None:
    user = european.user()
    portfolio = await funded(user, USD="1000.00", EUR="1000.00")
    await bought(user, portfolio, "AAPL", "10", "100")
    # The dollars of the sale do not pay for euros.
    orders = [("AAPL", SELL, "10"), ("SAP", BUY, "20" if trouble == "cash" else "19")]
    if trouble == "units":
        orders[0] = ("AAPL", SELL, "11")
    elif trouble == "stale":
        european.market.live["SAP"] = replace(european.market.live["SAP"], stale=True)
    elif trouble == "size":
        european.market.live["SAP"] = replace(european.market.live["SAP"], ask_size=Decimal(18), bid_size=Decimal(18))
    before = await user.events(portfolio), await cash_of(user, portfolio)
    own = rebalancer(european, user)
    with pytest.raises(BasketRefused, match="AAPL" if trouble == "units" else "SAP"):
        await own.execute(portfolio, *orders)
    assert (await user.events(portfolio), await cash_of(user, portfolio)) == before
    async with european.database.system_transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM placed_order")) == 0
        assert await session.scalar(text("SELECT sum(reserved) FROM holding")) == 0


async def test_a_basket_beyond_the_cash_names_what_lacks_in_each_currency_and_the_basket_that_passes(
    european: Service,
) -> None:
    """Sales of 10 AAPL leave 1,999.40 dollars, which pay for 19 MSFT; of SAP there are 20, and of yen one."""
    user = european.user()
    portfolio = await funded(user, USD="2000.00", EUR="2000.00", JPY="1")
    await bought(user, portfolio, "AAPL", "10", "100")
    await bought(user, portfolio, "SAP", "20", "50")
    european.market.known["MSFT"] = asset("MSFT")
    european.market.live["MSFT"] = quote("MSFT", "100.00")
    own = rebalancer(european, user)
    orders = (("AAPL", SELL, "10"), ("MSFT", BUY, "20"), ("SAP", SELL, "21"), ("TOYO", BUY, "100"))
    before = await user.events(portfolio)
    with pytest.raises(BasketRefused, match="that for SAP cannot be filled: This needs 21 SAP, but only 20") as refused:
        await own.execute(portfolio, *orders)
    assert await user.events(portfolio) == before
    told = refused.value.metadata
    numbers = [(each["symbol"], each["commodity"], each["shortfall"]) for each in json.loads(told["denials"])]
    # 20 MSFT at 100.05 and a fee of 0.20; 100 TOYO at 2,001 and a fee of 20.
    assert numbers == [("SAP", "SAP", "1"), ("MSFT", "USD", "1.80"), ("TOYO", "JPY", "200119")]
    passing = [(each["symbol"], each["side"], each["quantity"]) for each in json.loads(told["suggestion"])["orders"]]
    assert (told["rule"], passing) == (
        "buying_power",
        [("AAPL", "sell", "10"), ("SAP", "sell", "20"), ("MSFT", "buy", "19")],
    )
    sides = {"buy": BUY, "sell": SELL}
    await own.execute(portfolio, *((symbol, sides[side], quantity) for symbol, side, quantity in passing))


async def test_what_an_open_order_keeps_of_a_currency_is_not_spent_in_it(european: Service) -> None:
    user = european.user()
    portfolio = await funded(user, USD="1000.00", EUR="1000.00")
    await user.order(portfolio, "10", limit="40", symbol="SAP", tif="gtc")
    plan = await rebalancer(european, user).plan(portfolio, {"SAP": 1.0})
    euros = next(each for each in plan.cash_by_currency if each.currency == "EUR")
    # 400 and a fee of 0.04 are reserved.
    assert euros.before.value == "599.96"
    assert asked(plan.trades) == [("SAP", BUY, "11")]


async def test_the_buffer_is_a_target_of_the_base_currency(european: Service) -> None:
    user = european.user()
    portfolio = await funded(user, EUR="1000.00")
    plan = await rebalancer(european, user).plan(portfolio, {"SAP": 1.0}, cash_buffer="110")
    kept = {each.currency: (each.kept.value, each.after.value, each.shortfall.value) for each in plan.cash_by_currency}
    # 900 euros buy 17 at 50.05, with a fee of 0.09.
    assert kept == {"EUR": ("0.00", "149.06", "0.00"), "USD": ("110.00", "0.00", "110.00")}
    moves = [(each.type, each.amount.value, each.currency) for each in plan.suggestion.transactions]
    assert moves == [
        (pb.TRANSACTION_TYPE_WITHDRAWAL, "100.00", "EUR"),
        (pb.TRANSACTION_TYPE_DEPOSIT, "110.00", "USD"),
    ]
    assert not plan.suggestion.orders


@pytest.mark.parametrize(
    ("trouble", "error", "words"),
    [
        ("missing", RateMissing, "no exchange rate from EUR into USD"),
        ("stale", RateStale, "rate from EUR into USD is of 2022-12-14, too long before 2022-12-20"),
        ("quote", CannotRebalance, "SAP is quoted in USD, and trades in EUR"),
    ],
)
@pytest.mark.parametrize("because", ["weight", "cash"])
async def test_what_cannot_be_translated_names_the_pair(
    european: Service, trouble: str, error: type[QuantmeshError], words: str, because: str
) -> None:
    """Cash that is there has to be weighed as much as what is wanted."""
    user = european.user()
    portfolio = await funded(user, USD="1000.00", **({"EUR": "10.00"} if because == "cash" else {}))
    weights = {"AAPL": 0.5, "SAP": 0.1} if because == "weight" or trouble == "quote" else {"AAPL": 0.5}
    if trouble == "quote":
        european.market.live["SAP"] = quote("SAP", "50.00")
    else:
        stale = {NOW.date().replace(day=14): Decimal("1.10")}
        european.market.rates["EUR", "USD"] = stale if trouble == "stale" else {}
    with pytest.raises(error, match=words):
        await rebalancer(european, user).plan(portfolio, weights)


async def test_a_plan_in_the_base_currency_alone_needs_no_rate(european: Service) -> None:
    european.market.rates.clear()
    user = european.user()
    portfolio = await funded(user, USD="1000.00")
    plan = await rebalancer(european, user).plan(portfolio, {"AAPL": 1.0})
    assert asked(plan.trades) == [("AAPL", BUY, "9")]
    assert not plan.exchange_rates
    assert not plan.HasField("suggestion")


async def test_a_sale_whose_fee_takes_more_than_there_is_refuses_the_basket_by_the_same_rule(european: Service) -> None:
    """Nothing is there but a unit that brings 0.01, less a fee of 0.02."""
    user = european.user()
    portfolio = await funded(user, EUR="50.00")
    await bought(user, portfolio, "SAP", "1", "50")
    european.market.live["SAP"] = replace(european.market.live["SAP"], bid=Decimal("0.01"))
    own = rebalancer(european, user, minimum_fee=Decimal("0.02"))
    with pytest.raises(BasketRefused, match=r"needs 0\.01 EUR, but only 0\.00 is there") as refused:
        await own.execute(portfolio, ("SAP", SELL, "1"))
    (denial,) = json.loads(refused.value.metadata["denials"])
    assert (denial["rule"], denial["symbol"], denial["shortfall"]) == ("buying_power", "SAP", "0.01")
    assert "suggestion" not in refused.value.metadata
