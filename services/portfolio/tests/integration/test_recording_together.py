"""Recordings that come at the same time share transactions, and nothing else."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.sql import text
from quantmesh.portfolio.core.errors import InsufficientCash, InsufficientHolding, PortfolioNotFound
from quantmesh.portfolio.core.ledger_errors import LotNotOpen

from .fakes import NO_CONTEXT, Service, User
from .known_accounts import admin, until_some_wait, waiting
from .messages import decimal, transaction

SEVERAL = 12


async def several(user: User, count: int = SEVERAL) -> list[pb.Portfolio]:
    return [await user.create() for _ in range(count)]


async def deposits(user: User, portfolio_ids: Sequence[str]) -> list[Any]:
    return await asyncio.gather(*(user.deposit(each, "10.00") for each in portfolio_ids), return_exceptions=True)


async def database_transactions(service: Service) -> int:
    """Those that the recordings came in."""
    async with service.database.system_transaction() as session:
        return int(await session.scalar(text("SELECT count(DISTINCT xmin::text) FROM transaction")))


async def test_recordings_of_one_owner_share_transactions(service: Service) -> None:
    user = service.user()
    portfolios = await several(user)
    assert await deposits(user, [each.id for each in portfolios]) == [None] * SEVERAL
    assert await database_transactions(service) < SEVERAL / 2
    for portfolio in portfolios:
        log = await user.events(portfolio.id)
        assert [(event.seq, event.type) for event in log.events] == [(1, "transaction.recorded")]


async def test_recordings_of_two_owners_never_do(service: Service) -> None:
    users = [service.user() for _ in range(2)]
    owned = [await several(user, 6) for user in users]
    work = [deposits(user, [each.id for each in own]) for user, own in zip(users, owned, strict=True)]
    await asyncio.gather(*work)
    async with service.database.system_transaction() as session:
        owners = await session.scalars(text("SELECT count(DISTINCT owner_id) FROM transaction GROUP BY xmin::text"))
    assert set(owners) == {1}


async def test_a_refusal_is_of_one_and_leaves_nothing(service: Service) -> None:
    user = service.user()
    portfolios = await several(user)
    poor = {portfolios[number].id for number in (3, 7)}

    async def act(portfolio_id: str) -> None:
        if portfolio_id in poor:
            await user.record(portfolio_id, type="withdrawal", amount="5.00", currency="USD", at="2020-01-02")
        else:
            await user.deposit(portfolio_id, "10.00")

    outcomes = await asyncio.gather(*(act(each.id) for each in portfolios), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [InsufficientCash] * 2
    for portfolio in portfolios:
        assert (await user.events(portfolio.id)).last_seq == (0 if portfolio.id in poor else 1)


async def test_an_account_that_others_hold_keeps_nobody_else_waiting(service: Service) -> None:
    user = service.user()
    portfolios = await several(user, 6)
    held = portfolios[4].id
    async with await psycopg.AsyncConnection.connect(service.admin_url, options="-c search_path=portfolio") as other:
        await other.execute("SELECT FROM portfolio WHERE id = %s FOR UPDATE", [held])
        waits = [asyncio.create_task(user.deposit(each.id, "10.00")) for each in portfolios]
        async with asyncio.timeout(60):
            await asyncio.gather(*(task for task, each in zip(waits, portfolios, strict=True) if each.id != held))
        assert not waits[4].done()
        await other.rollback()
        await waits[4]
    assert (await user.events(held)).last_seq == 1


async def test_those_that_wait_for_one_account_hold_one_connection(service: Service) -> None:
    user = service.user()
    held = (await user.create()).id
    async with admin(service) as connection:
        async with connection.transaction():
            await connection.execute("SELECT FROM portfolio WHERE id = %s FOR UPDATE", [held])
            waits = [asyncio.create_task(user.deposit(held, "10.00")) for _ in range(6)]
            await until_some_wait(connection)
            # Others would have come by now.
            await asyncio.sleep(1.0)
            assert await waiting(connection) == 1
        await asyncio.gather(*waits)
    assert (await user.events(held)).last_seq == 6


async def test_who_is_not_there_is_refused_alone(service: Service) -> None:
    user = service.user()
    portfolios = await several(user, 4)
    ids = [*(each.id for each in portfolios), str(uuid.uuid4())]
    outcomes = await deposits(user, ids)
    assert [type(outcome) for outcome in outcomes] == [type(None)] * 4 + [PortfolioNotFound]


async def test_trades_beside_each_other_answer_with_their_own_positions(service: Service) -> None:
    user = service.user()
    portfolios = await several(user, 6)
    await deposits(user, [each.id for each in portfolios])
    outcomes = await asyncio.gather(
        *(user.buy(each.id, str(number), "1.00") for number, each in enumerate(portfolios, 1)),
    )
    assert [outcome.position.quantity.value for outcome in outcomes] == [str(number) for number in range(1, 7)]
    assert [outcome.cash.amount.value for outcome in outcomes] == [f"{10 - number}.00" for number in range(1, 7)]


async def test_a_refusal_after_the_entry_was_written_undoes_it_and_spares_the_others(service: Service) -> None:
    user = service.user()
    portfolios = [await user.create(lots=pb.LOT_METHOD_SPECIFIC) for _ in range(6)]
    await deposits(user, [each.id for each in portfolios])
    await asyncio.gather(*(user.buy(each.id, "2", "1.00") for each in portfolios))
    unknown = [pb.LotChoice(transaction_id=str(uuid.uuid4()), quantity=decimal("1"))]

    async def sell(number: int, portfolio: pb.Portfolio) -> None:
        sale = transaction(type="sell", symbol="AAPL", quantity="1", price="2", currency="USD", at="2020-02-03")
        sale.lots.extend(unknown if number == 4 else [])
        user.call(uuid.uuid4().hex)
        request = pb.RecordTransactionRequest(portfolio_id=portfolio.id, transaction=sale)
        await user.rpc.RecordTransaction(request, NO_CONTEXT)

    outcomes = await asyncio.gather(
        *(sell(number, each) for number, each in enumerate(portfolios)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [LotNotOpen]
    assert [(await user.events(each.id)).last_seq for each in portfolios] == [3, 3, 3, 3, 2, 3]


async def test_a_key_repeated_beside_others_is_answered_as_before(service: Service) -> None:
    user = service.user()
    portfolios = await several(user, 6)
    asked = {"type": "deposit", "amount": "10.00", "currency": "USD", "at": "2020-01-02"}

    async def all_of_them() -> list[pb.RecordTransactionResponse]:
        return await asyncio.gather(
            *(user.record(each.id, key=f"key {number}", **asked) for number, each in enumerate(portfolios))
        )

    assert await all_of_them() == await all_of_them()
    assert [(await user.events(each.id)).last_seq for each in portfolios] == [1] * 6
    with pytest.raises(InsufficientHolding):
        await user.record(portfolios[0].id, type="sell", symbol="AAPL", quantity="1", price="1", at="2020-02-03")
