"""Performance is of the period that was asked for, whatever moved in it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.adapters.option_expiry import OptionExpiry

from .fakes import Service, User
from .test_lots_and_options import CALL, EXPIRY, account, record, with_options
from .test_option_values import performance

NEW_YEAR = datetime(2022, 1, 1, tzinfo=UTC)
TWO_YEARS = {"start": "2020-01-02", "end": "2021-12-31"}


def weekdays(first: date, last: date) -> list[date]:
    days = [first + timedelta(number) for number in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < 5]


async def sold_in_june(service: Service, *, crumb: bool) -> tuple[User, str]:
    """Nearly all of it gained 10 % from January to June 2020 and is cash since; `crumb`: beside a share of a cent."""
    days = weekdays(date(2020, 1, 2), date(2021, 12, 31))
    service.market.history = {
        "IBM": {day: Decimal(100 if day < date(2020, 4, 1) else 110) for day in days},
        "MSFT": {day: Decimal(100 + number) for number, day in enumerate(days)},
        "AAPL": dict.fromkeys(days, Decimal("0.01")),
    }
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "100000.00", "2020-01-02")
    if crumb:
        await user.buy(portfolio.id, "1", "0.01", "2020-01-02")
    await user.buy(portfolio.id, "999", "100", "2020-01-02", "IBM")
    trade = {"type": "sell", "symbol": "IBM", "quantity": "999", "price": "110", "currency": "USD"}
    await user.record(portfolio.id, **trade, at="2020-06-30")
    return user, portfolio.id


async def test_cash_at_rest_counts_like_cash_beside_a_share_of_a_cent(service: Service) -> None:
    found = []
    for crumb in (False, True):
        user, portfolio_id = await sold_in_june(service, crumb=crumb)
        found.append(
            await performance(user, portfolio_id, NEW_YEAR, benchmark="MSFT", risk_free_rate=0.01, **TWO_YEARS)
        )
    cash, beside = found
    # 730 days.
    assert cash.annualized_return == pytest.approx(1.0999**0.5 - 1, abs=1e-12)
    assert cash.money_weighted.annualized_return == pytest.approx(1.0999**0.5 - 1, abs=1e-9)
    for figure in ("annualized_return", "volatility", "sharpe_ratio", "sortino_ratio", "maximum_drawdown"):
        assert getattr(cash, figure) == pytest.approx(getattr(beside, figure), rel=1e-9), figure
    for figure in ("time_weighted_return", "alpha", "beta"):
        assert getattr(cash.benchmark, figure) == pytest.approx(getattr(beside.benchmark, figure), rel=1e-9), figure
    # To its last day, although that of the portfolio with something to tell is long before.
    assert cash.benchmark.time_weighted_return == pytest.approx(5.2, abs=0.01)
    assert cash.series[-1].date == "2020-06-30"


async def test_a_period_in_which_nothing_moved_has_the_value_of_its_last_day(service: Service) -> None:
    user, portfolio_id = await sold_in_june(service, crumb=False)
    answer = await performance(user, portfolio_id, NEW_YEAR, start="2021-01-01", end="2021-12-31", explain=True)
    assert [(point.date, point.value.value) for point in answer.series] == [("2021-12-31", "109990.00")]
    assert (answer.value.amount.value, answer.time_weighted_return, answer.volatility) == ("109990.00", 0.0, 0.0)
    assert answer.money_weighted.annualized_return == pytest.approx(0.0, abs=1e-12)
    told = answer.explanation
    assert (told.start_value.amount.value, told.end_value.amount.value) == ("109990.00", "109990.00")


async def test_a_start_before_the_account_began_is_its_beginning(service: Service) -> None:
    user, portfolio_id = await sold_in_june(service, crumb=False)
    earlier = await performance(user, portfolio_id, NEW_YEAR, start="2015-01-01", end="2021-12-31", explain=True)
    assert earlier.annualized_return == pytest.approx(1.0999**0.5 - 1, abs=1e-12)
    assert [flow.remaining for flow in earlier.explanation.cash_flows] == [1.0]
    unbounded = await performance(user, portfolio_id, datetime(2021, 12, 31, 12, tzinfo=UTC), explain=True)
    for answer in (earlier, unbounded):
        answer.ClearField("as_of")
        answer.ClearField("known_at")
    assert unbounded == earlier


async def test_a_later_start_is_where_its_flows_are_weighed_from(service: Service) -> None:
    user, portfolio_id = await sold_in_june(service, crumb=False)
    # Of the 365 days of 2021 the first 146 lie before it: it is the only day on which something moved.
    await user.deposit(portfolio_id, "10.00", "2021-05-27")
    answer = await performance(user, portfolio_id, NEW_YEAR, start="2021-01-01", end="2021-12-31", explain=True)
    assert [flow.remaining for flow in answer.explanation.cash_flows] == [pytest.approx(0.6, abs=1e-12)]


async def test_a_period_ends_where_nothing_is_left(service: Service) -> None:
    user, portfolio_id = await sold_in_june(service, crumb=False)
    gone = {"type": "withdrawal", "amount": "109990.00", "currency": "USD"}
    await user.record(portfolio_id, **gone, at="2020-06-30")
    answer = await performance(user, portfolio_id, NEW_YEAR, **TWO_YEARS)
    # Half a year, which is not annualised, and whose rate is not that of the two years that were asked for.
    assert answer.annualized_return == pytest.approx(0.0999, abs=1e-12)
    assert answer.money_weighted.period_return == pytest.approx(0.0999, abs=1e-9)
    later = await performance(user, portfolio_id, NEW_YEAR, start="2021-01-01", end="2021-12-31")
    assert (later.value.amount.value, later.time_weighted_return) == ("0.00", 0.0)
    assert not later.money_weighted.HasField("period_return")


async def test_an_option_that_expired_is_worth_nothing_from_that_day_on(service: Service) -> None:
    with_options(service)
    user, portfolio_id = await account(service)
    await record(user, portfolio_id, "option_open", CALL, "1", price="4.00")
    service.market.history = {CALL: {date(2020, 3, 3): Decimal("5.00")}, "IBM": {EXPIRY.date(): Decimal(99)}}
    await OptionExpiry(service.database, service.market, service.clock).settle_due()

    async def told(start: str) -> list[tuple[str, str]]:
        answer: pb.GetPerformanceResponse = await performance(user, portfolio_id, NEW_YEAR, start=start)
        return [(point.date, point.value.value) for point in answer.series]

    assert (await told("2020-03-03")) == [("2020-03-03", "50100.00"), ("2020-06-19", "49600.00")]
    # It is the day before a period of which nothing else is known.
    for start in ("2020-06-20", "2020-06-29", "2020-07-06"):
        assert await told(start) == [("2022-01-01", "49600.00")]
