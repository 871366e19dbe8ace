"""What an option's contract is worth is the same wherever it is told."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.adapters.accounts import Accounts

from .fakes import NO_CONTEXT, Service, User, quote
from .messages import stamp
from .test_lots_and_options import CALL, account, record, with_options

EVENING = datetime(2020, 3, 3, 23, tzinfo=UTC)


async def performance(user: User, portfolio_id: str, as_of: datetime, **fields: Any) -> pb.GetPerformanceResponse:
    user.call()
    request = pb.GetPerformanceRequest(portfolio_id=portfolio_id, as_of=stamp(as_of), **fields)
    return await user.rpc.GetPerformance(request, NO_CONTEXT)


@pytest.fixture
async def ten_calls(service: Service) -> tuple[User, str]:
    """Of 100 shares each: opened at 4.00 a share beside 46,000 of cash, and closed at 5.00 the day after."""
    with_options(service)
    user, portfolio_id = await account(service)
    await record(user, portfolio_id, "option_open", CALL, "10", price="4.00")
    service.market.history[CALL] = {date(2020, 3, 3): Decimal("5.00")}
    return user, portfolio_id


async def test_positions_lots_performance_and_the_account_agree(service: Service, ten_calls: tuple[User, str]) -> None:
    user, portfolio_id = ten_calls
    user.call()
    request = pb.GetPositionsRequest(portfolio_id=portfolio_id, as_of=stamp(EVENING), lots=True)
    positions = await user.rpc.GetPositions(request, NO_CONTEXT)
    (position,) = positions.positions
    assert (position.market_value.value, position.unrealized_pnl.value) == ("5000.00", "1000.00")
    assert [lot.unrealized_pnl.value for lot in position.lots] == ["1000.00"]
    measured = await performance(user, portfolio_id, EVENING, explain=True)
    assert measured.value.amount.value == positions.total_value.amount.value == "51000.00"
    assert [(point.date, point.value.value) for point in measured.series] == [
        ("2020-01-02", "50000.00"),
        ("2020-03-02", "50000.00"),
        ("2020-03-03", "51000.00"),
    ]
    assert measured.time_weighted_return == pytest.approx(0.02, abs=1e-15)
    assert [(item.symbol, item.gain.value) for item in measured.explanation.contributions] == [
        (CALL, "1000.00"),
        ("", "0.00"),
    ]
    assert measured.explanation.unrealized_gains.amount.value == "1000.00"
    service.market.time, service.market.live[CALL] = EVENING, quote(CALL, "5.00")
    state = await Accounts(service.database, service.market).state(UUID(portfolio_id), ())
    (instrument,) = state.instruments
    worth = Decimal(instrument.quantity.value) * Decimal(instrument.price.value)
    assert Decimal(state.cash.value) + worth == Decimal("51000.00")


async def test_a_contract_begins_a_period_at_its_close_from_long_before(ten_calls: tuple[User, str]) -> None:
    user, portfolio_id = ten_calls
    # A day with a value before the period, so that nothing further back is read but the option's last close.
    await user.deposit(portfolio_id, "10.00", "2020-04-28")
    answer = await performance(user, portfolio_id, datetime(2020, 5, 4, tzinfo=UTC), start="2020-05-01", explain=True)
    assert answer.explanation.start_value.amount.value == "51010.00"
