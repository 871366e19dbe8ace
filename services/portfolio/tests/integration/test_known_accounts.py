"""A recording in an account that the process knows is one message, and never believes what is not true any more."""

import asyncio

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.errors import QuantmeshError
from quantmesh.chassis.idempotency import Claim, KeyReused, TwinRunning
from quantmesh.portfolio.core.errors import InsufficientCash, PortfolioNotFound

from .fakes import NO_CONTEXT, Service
from .known_accounts import DAY, admin, cash, count, elsewhere, known, withdraw


async def test_the_second_recording_is_one_message(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    seen = count(service)
    await user.deposit(portfolio.id)
    assert seen == ["several messages"]
    for number in range(3):
        await user.deposit(portfolio.id, "10.00", at=f"2020-02-0{number + 1}")
    assert seen == ["several messages", *["one message"] * 3]
    assert await cash(user, portfolio.id) == "100030.00"
    assert [event.seq for event in (await user.events(portfolio.id)).events] == [1, 2, 3, 4]


async def test_accounts_that_are_known_share_one_message(service: Service) -> None:
    user = service.user()
    portfolios = [await known(user) for _ in range(8)]
    seen = count(service)
    await asyncio.gather(*(user.deposit(each, "1.00") for each in portfolios))
    assert set(seen) == {"one message"}
    assert len(seen) < 8
    assert {(await user.events(each)).last_seq for each in portfolios} == {2}


async def test_two_currencies_are_both_known(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    for currency in ("EUR", "USD", "EUR", "USD"):
        seen = count(service)
        await user.record(portfolio_id, type="deposit", amount="1", currency=currency, at=DAY)
    assert seen == ["one message"]


async def test_what_is_dated_before_what_is_known_is_read(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    await withdraw(user, portfolio_id, "100.00")
    with pytest.raises(InsufficientCash):
        await user.record(portfolio_id, type="withdrawal", amount="1", currency="USD", at="2020-01-01")
    await user.deposit(portfolio_id, "30.00", at="2019-12-30")
    await user.record(portfolio_id, type="withdrawal", amount="10", currency="USD", at="2020-01-01")
    assert await cash(user, portfolio_id) == "20.00"
    with pytest.raises(InsufficientCash):
        await user.record(portfolio_id, type="withdrawal", amount="21", currency="USD", at="2019-12-31")


async def test_what_another_replica_took_is_not_there_any_more(service: Service) -> None:
    user = service.user()
    other = elsewhere(service, user)
    portfolio_id = await known(user)
    await withdraw(other, portfolio_id, "60.00")
    with pytest.raises(InsufficientCash):
        await withdraw(user, portfolio_id, "60.00")
    await withdraw(user, portfolio_id, "40.00")
    assert await cash(user, portfolio_id) == "0.00"


async def test_what_another_replica_brought_is_there(service: Service) -> None:
    user = service.user()
    other = elsewhere(service, user)
    portfolio_id = await known(user)
    await other.deposit(portfolio_id, "60.00")
    await withdraw(user, portfolio_id, "160.00")
    assert [event.seq for event in (await user.events(portfolio_id)).events] == [1, 2, 3]


async def test_replicas_in_turn_and_at_once_lose_nothing(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    users = [user, elsewhere(service, user), elsewhere(service, user)]
    for _ in range(4):
        await asyncio.gather(*(each.deposit(portfolio_id, "1.00") for each in users for _ in range(2)))
    assert await cash(user, portfolio_id) == "124.00"
    assert [event.seq for event in (await user.events(portfolio_id)).events] == list(range(1, 26))


async def test_what_an_order_reserved_meanwhile_is_not_withdrawn(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user, "1000.00")
    order = await elsewhere(service, user).order(portfolio_id, "5", limit="100", tif="gtc")
    assert order.status == pb.ORDER_STATUS_ACCEPTED
    with pytest.raises(InsufficientCash, match="open orders"):
        await withdraw(user, portfolio_id, "900.00")


async def test_a_portfolio_that_was_deleted_meanwhile_is_not_found(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    other = elsewhere(service, user)
    await withdraw(other, portfolio_id, "100.00")
    await other.rpc.DeletePortfolio(pb.DeletePortfolioRequest(id=portfolio_id), NO_CONTEXT)
    with pytest.raises(PortfolioNotFound):
        await user.deposit(portfolio_id, "1.00")
    async with admin(service) as connection:
        cursor = await connection.execute("SELECT count(*) FROM transaction WHERE portfolio_id = %s", [portfolio_id])
        assert await cursor.fetchone() == (2,)


async def test_the_same_number_after_a_restore_is_not_the_same_account(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    async with admin(service) as connection:
        # As from a backup of before the deposit, in which another number 1 was recorded since.
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("UPDATE holding SET amount = 7 WHERE portfolio_id = %s", [portfolio_id])
        await connection.execute(
            "UPDATE portfolio SET recorded_at = recorded_at - interval '1 minute' WHERE id = %s", [portfolio_id]
        )
    with pytest.raises(InsufficientCash):
        await withdraw(user, portfolio_id, "100.00")
    answer = await withdraw(user, portfolio_id, "7.00")
    assert answer.cash.amount.value == "0.00"


async def test_nobody_elses_portfolio_is_known(service: Service) -> None:
    user, stranger = service.user(), service.user()
    portfolio_id = await known(user)
    with pytest.raises(PortfolioNotFound):
        await stranger.deposit(portfolio_id, "1.00")


async def test_a_key_that_comes_again_is_answered_as_before(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    first = await withdraw(user, portfolio_id, "10.00", key="once")
    assert await withdraw(user, portfolio_id, "10.00", key="once") == first
    with pytest.raises(KeyReused):
        await withdraw(user, portfolio_id, "11.00", key="once")
    assert await cash(user, portfolio_id) == "90.00"


async def test_one_key_at_two_replicas_at_once_has_one_effect(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    users = [user, elsewhere(service, user)]
    for number in range(10):
        outcomes = await asyncio.gather(
            *(withdraw(each, portfolio_id, "1.00", key=f"twin {number}") for each in users), return_exceptions=True
        )
        answers = [each for each in outcomes if isinstance(each, pb.RecordTransactionResponse)]
        assert answers == [answers[0]] * len(answers)
        assert all(isinstance(each, TwinRunning | pb.RecordTransactionResponse) for each in outcomes)
    assert await cash(user, portfolio_id) == "90.00"


async def test_one_key_for_two_accounts_at_once_has_one_effect(service: Service) -> None:
    user = service.user()
    other = elsewhere(service, user)
    # One is known and the other is not, so that the two ways of recording meet.
    portfolios = [(user, await known(user)), (other, await known(user))]
    for number in range(10):
        outcomes = await asyncio.gather(
            *(withdraw(each, portfolio_id, "1.00", key=f"twin {number}") for each, portfolio_id in portfolios),
            return_exceptions=True,
        )
        assert sum(isinstance(each, pb.RecordTransactionResponse) for each in outcomes) == 1
        assert all(isinstance(each, TwinRunning | KeyReused | pb.RecordTransactionResponse) for each in outcomes)
        portfolios = [(user, portfolios[0][1]), (elsewhere(service, user), portfolios[1][1])]


async def test_a_key_that_somebody_works_with_is_nobody_elses(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    name = Claim(user.owner_id, pb.RecordTransactionRequest.DESCRIPTOR.name, "once", b"").name
    async with admin(service) as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        with pytest.raises(TwinRunning):
            await withdraw(user, portfolio_id, "1.00", key="once")
    assert await withdraw(user, portfolio_id, "1.00", key="once")


async def test_a_refusal_is_of_one_and_the_others_are_written_at_once(service: Service) -> None:
    user = service.user()
    portfolios = [await known(user, "5.00") for _ in range(6)]
    outcomes = await asyncio.gather(
        *(withdraw(user, each, "6.00" if number == 3 else "1.00") for number, each in enumerate(portfolios)),
        return_exceptions=True,
    )
    assert [type(each) for each in outcomes if isinstance(each, QuantmeshError)] == [InsufficientCash]
    assert [(await user.events(each)).last_seq for each in portfolios] == [2, 2, 2, 1, 2, 2]


async def test_what_could_not_be_written_is_in_no_log(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    user = service.user()
    portfolio_id = await known(user, "10000.00")
    for placing in (user, elsewhere(service, user), user):
        assert (await placing.order(portfolio_id, "1")).status == pb.ORDER_STATUS_FILLED
    said = capsys.readouterr().out
    assert "what is known of an account does not do" in said
    # Postgres quotes the row that it refuses.
    assert portfolio_id not in said


async def test_what_an_account_lacks_is_in_no_log(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    user = service.user()
    portfolio_id = await known(user, "10000.00")
    await user.order(portfolio_id, "1")
    capsys.readouterr()
    with pytest.raises(InsufficientCash, match=r"only 9869\.94 is there"):
        await user.order(portfolio_id, "1000")
    said = capsys.readouterr().out
    assert "what is known of an account does not do" in said
    assert "9869.94" not in said
