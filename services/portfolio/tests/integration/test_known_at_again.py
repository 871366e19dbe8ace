"""What was answered with a `known_at` is answered again with it, whatever begins after the read."""

from datetime import timedelta

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.times import from_timestamp
from quantmesh.portfolio.core.market import MarketClock

from .fakes import Service, User


def cash(answer: pb.GetPositionsResponse) -> list[str]:
    return [each.amount.value for each in answer.cash]


async def again(user: User, answer: pb.GetPositionsResponse, portfolio_id: str) -> list[str]:
    return cash(await user.positions(portfolio_id, known_at=from_timestamp(answer.known_at, "known_at")))


async def test_what_is_recorded_while_the_market_answers_is_not_known_yet(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "10.00")
    clock = service.market.clock

    async def slow() -> MarketClock:
        monkeypatch.undo()
        service.clock.time += timedelta(seconds=1)
        await user.deposit(portfolio.id, "1.00")
        service.clock.time += timedelta(seconds=1)
        return await clock()

    monkeypatch.setattr(service.market, "clock", slow)
    shown = await user.positions(portfolio.id)
    assert cash(shown) == ["10.00"]
    assert await again(user, shown, portfolio.id) == ["10.00"]


async def test_what_another_replica_recorded_by_a_faster_clock_is_known(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    service.clock.time += timedelta(seconds=3)
    await user.deposit(portfolio.id, "10.00")
    service.clock.time -= timedelta(seconds=2)
    shown = await user.positions(portfolio.id)
    assert cash(shown) == ["10.00"]
    assert await again(user, shown, portfolio.id) == ["10.00"]


async def test_what_is_recorded_by_a_slower_clock_comes_behind(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "10.00")
    service.clock.time -= timedelta(seconds=2)
    shown = await user.positions(portfolio.id)
    await user.deposit(portfolio.id, "1.00")
    assert cash(shown) == ["10.00"]
    assert await again(user, shown, portfolio.id) == ["10.00"]


async def test_nothing_is_known_of_a_time_to_come(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "10.00")
    shown = await user.positions(portfolio.id, known_at=service.clock.time + timedelta(days=1))
    service.clock.time += timedelta(seconds=1)
    await user.deposit(portfolio.id, "1.00")
    assert cash(shown) == ["10.00"]
    assert await again(user, shown, portfolio.id) == ["10.00"]


async def test_what_was_known_names_the_number_that_it_is_true_at(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "10.00")
    shown = await user.positions(portfolio.id)
    service.clock.time += timedelta(seconds=1)
    await user.deposit(portfolio.id, "1.00")
    known = await user.positions(portfolio.id, known_at=from_timestamp(shown.known_at, "known_at"))
    assert (shown.seq, known.seq) == (1, 1)
    assert (await user.positions(portfolio.id)).seq == 2
