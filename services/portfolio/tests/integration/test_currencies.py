"""A portfolio in several currencies is valued in one, by hand-computed cases."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from quantmesh.api.common.v1.common_pb2 import PageRequest
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.core.errors import RateMissing

from .fakes import NO_CONTEXT, Service, User, quote

THURSDAY, FRIDAY, MONDAY = date(2020, 1, 2), date(2020, 1, 3), date(2020, 1, 6)
EVENING = datetime(2020, 1, 6, 22, tzinfo=UTC)


async def european(service: Service, user: User) -> str:
    """A dollar portfolio with 1,000 euros, of which 500 buy five SAP at 100 the day after."""
    market = service.market
    market.rates["EUR", "USD"] = {THURSDAY: Decimal("1.10"), FRIDAY: Decimal("1.21"), MONDAY: Decimal("1.089")}
    market.history["SAP"] = {FRIDAY: Decimal(100), MONDAY: Decimal(110)}
    market.live["SAP"] = replace(quote("SAP", "110"), currency="EUR")
    portfolio = await user.create()
    await user.record(portfolio.id, type="deposit", amount="1000", currency="EUR", at="2020-01-02")
    await user.record(portfolio.id, type="buy", symbol="SAP", quantity="5", price="100", at="2020-01-03")
    return portfolio.id


async def performance(service: Service, user: User, portfolio_id: str) -> pb.GetPerformanceResponse:
    user.call()
    return await service.rpc.GetPerformance(pb.GetPerformanceRequest(portfolio_id=portfolio_id), NO_CONTEXT)


async def test_positions_and_cash_are_translated_at_the_last_rate(service: Service) -> None:
    user = service.user()
    portfolio_id = await european(service, user)
    await user.deposit(portfolio_id, "100.00", "2020-01-03")
    answer = await user.positions(portfolio_id)
    held = answer.positions[0]
    # 5 x 110 EUR at 1.089; 500 EUR at 1.089 beside 100 USD.
    assert (held.market_value.value, held.currency, held.base_value.value) == ("550.00", "EUR", "598.95")
    assert (answer.cash_value.amount.value, answer.cash_value.currency) == ("644.50", "USD")
    assert (answer.total_value.amount.value, answer.total_value.currency) == ("1243.45", "USD")
    # The market's now is in December 2022, long after the last rate of this test.
    assert [(rate.currency, rate.rate.value, rate.date, rate.stale) for rate in answer.exchange_rates] == [
        ("EUR", "1.089", "2020-01-06", True)
    ]


async def test_a_past_valuation_takes_the_rate_of_its_time(service: Service) -> None:
    user = service.user()
    portfolio_id = await european(service, user)
    answer = await user.positions(portfolio_id, as_of=datetime(2020, 1, 2, 20, tzinfo=UTC))
    assert (answer.cash_value.amount.value, answer.total_value.amount.value) == ("1100.00", "1100.00")
    assert [(rate.date, rate.stale) for rate in answer.exchange_rates] == [("2020-01-02", False)]


async def test_without_a_rate_there_is_no_total_but_everything_else(service: Service) -> None:
    user = service.user()
    portfolio_id = await european(service, user)
    service.market.rates.clear()
    answer = await user.positions(portfolio_id)
    assert answer.positions[0].market_value.value == "550.00"
    assert not answer.positions[0].HasField("base_value")
    assert not answer.HasField("cash_value")
    assert not answer.HasField("total_value")


async def test_performance_holds_what_prices_and_what_rates_did(service: Service) -> None:
    user = service.user()
    portfolio_id = await european(service, user)
    answer = await performance(service, user, portfolio_id)
    # 1000 x 1.10; (500 + 5 x 100) x 1.21; (500 + 5 x 110) x 1.089.
    assert [(point.date, point.value.value, point.net_flow.value) for point in answer.series] == [
        ("2020-01-02", "1100.00", "1100.00"),
        ("2020-01-03", "1210.00", "0.00"),
        ("2020-01-06", "1143.45", "0.00"),
    ]
    assert answer.time_weighted_return == pytest.approx(1143.45 / 1100 - 1, abs=1e-12)
    assert answer.maximum_drawdown == pytest.approx(1143.45 / 1210 - 1, abs=1e-12)
    assert (answer.maximum_drawdown_start, answer.maximum_drawdown_end) == ("2020-01-03", "2020-01-06")
    assert [(rate.currency, rate.rate.value, rate.date) for rate in answer.exchange_rates] == [
        ("EUR", "1.089", "2020-01-06")
    ]


async def test_flows_are_translated_at_the_rate_of_their_day(service: Service) -> None:
    user = service.user()
    portfolio_id = await european(service, user)
    await user.record(portfolio_id, type="deposit", amount="100", currency="EUR", at="2020-01-06")
    await user.record(portfolio_id, type="withdrawal", amount="50", currency="EUR", at="2020-01-06")
    answer = await performance(service, user, portfolio_id)
    assert (answer.series[2].value.value, answer.series[2].net_flow.value) == ("1197.90", "54.45")
    # Deposits count from the start of their day, withdrawals until its end.
    growth = 1210 / 1100 * (1197.90 + 50 * 1.089) / (1210 + 100 * 1.089)
    assert answer.time_weighted_return == pytest.approx(growth - 1, abs=1e-12)


async def test_the_same_book_in_euros_has_no_gain_from_the_rate(service: Service) -> None:
    user = service.user()
    await european(service, user)
    portfolio = await user.create(currency="EUR")
    await user.record(portfolio.id, type="deposit", amount="1000", at="2020-01-02")
    await user.record(portfolio.id, type="buy", symbol="SAP", quantity="5", price="100", at="2020-01-03")
    answer = await performance(service, user, portfolio.id)
    assert answer.time_weighted_return == pytest.approx(0.05, abs=1e-12)
    assert list(answer.exchange_rates) == []


async def test_a_day_without_a_rate_before_it_cannot_be_told(service: Service) -> None:
    user = service.user()
    portfolio_id = await european(service, user)
    service.market.rates["EUR", "USD"] = {FRIDAY: Decimal("1.21")}
    with pytest.raises(RateMissing, match="from EUR into USD on 2020-01-02"):
        await performance(service, user, portfolio_id)
    # What it is worth now needs the rate of now alone.
    assert (await user.positions(portfolio_id)).HasField("total_value")


async def test_the_series_comes_in_pages(service: Service) -> None:
    user = service.user()
    portfolio_id = await european(service, user)
    user.call()
    request = pb.GetPerformanceRequest(portfolio_id=portfolio_id, page=PageRequest(limit=2))
    first = await service.rpc.GetPerformance(request, NO_CONTEXT)
    request.page.cursor = first.page.next_cursor
    second = await service.rpc.GetPerformance(request, NO_CONTEXT)
    assert [[point.date for point in page.series] for page in (first, second)] == [
        ["2020-01-02", "2020-01-03"],
        ["2020-01-06"],
    ]
    assert second.page.next_cursor == ""
    # The figures are of the whole period on every page.
    assert first.time_weighted_return == second.time_weighted_return
    assert first.value == second.value
