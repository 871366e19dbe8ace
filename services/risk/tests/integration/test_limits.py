"""Limits as they are set, used and watched, on a real Postgres and a real broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.api.portfolio.v1.events_pb2 import TransactionRecorded
from quantmesh.api.portfolio.v1.portfolio_pb2 import Transaction
from quantmesh.api.risk.v1 import limits_pb2 as pb
from quantmesh.api.risk.v1 import risk_pb2
from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.errors import InvalidInput, NotFound, PermissionDenied, PreconditionFailed, Unavailable
from quantmesh.chassis.events import Consumer, EventBus
from quantmesh.chassis.events.streams import ensure_stream
from quantmesh.chassis.outbox import partition_of
from quantmesh.chassis.times import to_timestamp
from quantmesh.local.testing import NewDatabase, RunningServer
from quantmesh.risk.adapters.limits.store import Due
from quantmesh.risk.adapters.limits.watch import LimitWatch

from .served_limits import ADA, BOB, Limits, account, account_message, act_as, limit, often, order, served_limits


@pytest.fixture
async def limits(service_database: NewDatabase) -> AsyncIterator[Limits]:
    async with served_limits(service_database("risk").url) as served:
        yield served


@asynccontextmanager
async def watching(watch: LimitWatch) -> AsyncIterator[None]:
    running = asyncio.create_task(watch.run())
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def become(limits: Limits, *kinds: str, seconds: float = 15.0) -> None:
    """Wait until exactly these events were told, and give a further one the time to come."""
    async with asyncio.timeout(seconds):
        while await limits.kinds() != list(kinds):  # noqa: ASYNC110  another connection's commit is no event here
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    assert await limits.kinds() == list(kinds)


async def test_a_definition_is_kept_in_versions_and_guarded_by_them(limits: Limits) -> None:
    portfolio = limits.accounts.open(AAPL="10")
    assert (await limits.get(portfolio)).definition.version == 0
    first = await limits.set(portfolio, limit("gross_exposure", "1500", "1000.50"), expected_version=0)
    second = await limits.set(
        portfolio,
        limit("value_at_risk", "100", method=risk_pb2.VALUE_AT_RISK_METHOD_PARAMETRIC, confidence=0.95),
        limit("margin_utilisation", "0.5"),
    )
    assert (first.version, second.version) == (1, 2)
    with pytest.raises(PreconditionFailed, match="version 2, not 1"):
        await limits.set(portfolio, expected_version=1)
    now = (await limits.get(portfolio)).definition
    assert [each.rule for each in now.limits] == [pb.LIMIT_RULE_VALUE_AT_RISK, pb.LIMIT_RULE_MARGIN_UTILISATION]
    assert (now.limits[0].confidence, now.limits[0].horizon_days) == (0.95, 1)
    then = await limits.get(portfolio, known_at=first.recorded_at)
    assert then.definition == first
    assert (then.definition.limits[0].warning.value, len(then.utilisations)) == ("1000.50", 0)
    with pytest.raises(DBAPIError, match="permission denied"):
        async with limits.database.system_transaction() as session:
            await session.execute(text("UPDATE limit_definition SET limits = '[]'"))


async def test_utilisation_is_told_with_value_limit_and_state(limits: Limits) -> None:
    portfolio = limits.accounts.open(AAPL="10", JPM="5")
    await limits.set(
        portfolio,
        limit("gross_exposure", "2000"),
        limit("symbol_notional", "1000"),
        limit("position_weight", "0.9", "0.1"),
        limit("daily_loss", "500"),
        limit("value_at_risk", "1000000"),
    )
    answer = await limits.get(portfolio)
    shown = [(each.value.value, each.symbol, pb.LimitState.Name(each.state)) for each in answer.utilisations[:4]]
    assert shown == [
        ("2050.0", "", "LIMIT_STATE_BREACHED"),
        ("1500.0", "AAPL", "LIMIT_STATE_BREACHED"),
        ("0.12448133", "AAPL", "LIMIT_STATE_WARNING"),
        ("0", "", "LIMIT_STATE_OK"),
    ]
    assert answer.utilisations[0].utilisation == pytest.approx(1.025)
    assert 0 < float(answer.utilisations[4].value.value) < 205
    assert answer.base_currency == "USD"


async def test_a_wrong_definition_names_its_fields_and_changes_nothing(limits: Limits) -> None:
    portfolio = limits.accounts.open()
    with pytest.raises(InvalidInput) as refused:
        await limits.set(portfolio, limit("leverage", "2"), limit("leverage", "-1", symbol="AAPL"))
    assert {each.field for each in refused.value.violations} == {"limits[1].limit", "limits[1].symbol"}
    with pytest.raises(InvalidInput) as unknown:
        await limits.set(portfolio, pb.Limit())
    assert [each.field for each in unknown.value.violations] == ["limits[0].rule"]
    assert (await limits.get(portfolio)).definition.version == 0


async def test_another_users_portfolio_is_not_there(limits: Limits) -> None:
    portfolio = limits.accounts.open(ADA)
    await limits.set(portfolio, limit("leverage", "0"))
    act_as(BOB)
    for attempt in (
        limits.get(portfolio),
        limits.get(portfolio, known_at=to_timestamp(datetime.now(UTC))),
        limits.set(portfolio),
        limits.get("nonsense"),
    ):
        with pytest.raises(NotFound):
            await attempt
    # Whoever checks an order of a foreign portfolio learns nothing of its limits.
    assert (await limits.check(portfolio, order("AAPL", "1"))).allowed
    act_as(ADA, "risk:use")
    with pytest.raises(PermissionDenied):
        await limits.set(portfolio)


async def test_a_check_asks_for_the_account_only_where_there_are_limits(limits: Limits) -> None:
    portfolio = limits.accounts.open()
    asked = limits.accounts.asked
    assert (await limits.check(portfolio, order("AAPL", "1"))).allowed
    assert limits.accounts.asked == asked
    await limits.set(portfolio, limit("gross_exposure", "1000"))
    asked = limits.accounts.asked
    answer = await limits.check(portfolio, order("AAPL", "10"))
    assert (answer.allowed, answer.account_needed) == (False, True)
    message = account_message(account(AAPL="3"), portfolio)
    denied = await limits.check(portfolio, order("AAPL", "10"), account=message)
    assert [(each.before.value, each.after.value, each.denied) for each in denied.changes] == [
        ("450.0", "1950.0", True)
    ]
    assert [each.value for each in denied.passing_quantities] == ["3"]
    assert (await limits.check(portfolio, order("AAPL", "3", "SELL"), account=message)).allowed
    # Portfolio is not called back.
    assert limits.accounts.asked == asked


async def test_figures_are_told_where_nothing_limits_them(limits: Limits) -> None:
    portfolio = limits.accounts.open()
    message = account_message(account(AAPL="10"), portfolio)
    answer = await limits.check(portfolio, order("JPM", "10"), account=message, with_figures=True)
    assert answer.allowed
    told = {pb.LimitRule.Name(each.limit.rule): each for each in answer.changes}
    gross = told["LIMIT_RULE_GROSS_EXPOSURE"]
    assert (gross.before.value, gross.after.value, gross.limit.HasField("limit")) == ("1500.0", "2600.0", False)
    assert float(told["LIMIT_RULE_VALUE_AT_RISK"].after.value) > 0


async def test_bad_orders_name_their_field(limits: Limits) -> None:
    portfolio = limits.accounts.open()
    for asked, field in (
        ((), "orders"),
        ((order("AAPL", "0"),), "orders[0].quantity"),
        ((order("AAPL", "1"), pb.CheckedOrder(symbol="AAPL")), "orders[1].side"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await limits.check(portfolio, *asked)
        assert [each.field for each in refused.value.violations] == [field]


async def test_what_if_tells_the_same_of_the_live_account(limits: Limits) -> None:
    portfolio = limits.accounts.open(AAPL="3")
    await limits.set(portfolio, limit("gross_exposure", "1000"))
    request = pb.WhatIfRequest(portfolio_id=portfolio, orders=[order("AAPL", "10")])
    answer = await limits.peer.call(limits.stub.WhatIf, request)
    assert [(each.before.value, each.after.value) for each in answer.changes if each.denied] == [("450.0", "1950.0")]
    assert [each.value for each in answer.passing_quantities] == ["3"]
    unknown = pb.WhatIfRequest(portfolio_id=portfolio, orders=[order("AAPL", "1"), order("NOPE", "1")])
    with pytest.raises(InvalidInput) as refused:
        await limits.peer.call(limits.stub.WhatIf, unknown)
    assert [each.field for each in refused.value.violations] == ["orders[1].symbol"]


async def test_each_crossing_is_told_once_by_the_clock(limits: Limits) -> None:
    portfolio = limits.accounts.open(AAPL="3")
    await limits.set(portfolio, limit("gross_exposure", "1000"), limit("leverage", "100"))
    async with watching(often(limits.watch)):
        await asyncio.sleep(1.5)
        assert await limits.kinds() == []
        limits.accounts.hold(portfolio, AAPL="7")
        await become(limits, "breached")
        limits.accounts.hold(portfolio, AAPL="6")
        await become(limits, "breached", "cleared")
        limits.accounts.hold(portfolio, AAPL="8")
        await become(limits, "breached", "cleared", "breached")
    told = await limits.told()
    assert [message.utilisation.value.value for _, message in told] == ["1050.0", "900.0", "1200.0"]
    assert {message.portfolio_id for _, message in told} == {portfolio}


async def test_a_breach_is_not_told_again_after_a_restart(limits: Limits) -> None:
    portfolio = limits.accounts.open(AAPL="7")
    await limits.set(portfolio, limit("gross_exposure", "1000"))
    for _ in range(3):
        async with watching(often(limits.watch)):
            await become(limits, "breached")


async def test_replicas_tell_of_a_crossing_once_between_them(limits: Limits) -> None:
    portfolio = limits.accounts.open(AAPL="7")
    await limits.set(portfolio, limit("gross_exposure", "1000"))
    async with limits.database.system_transaction() as session:
        due_at = await session.scalar(text("SELECT due_at FROM limit_watch"))
    set_call(CallContext().on_behalf_of(ADA))

    async def connect() -> None:
        async with limits.database.system_transaction() as session:
            await session.execute(text("SELECT pg_sleep(0.5)"))

    # All have a connection, so that nobody is done before the others begin.
    await asyncio.gather(*(connect() for _ in range(6)))
    due = Due(UUID(portfolio), ADA, due_at)
    await asyncio.gather(*(limits.watch.measure(due) for _ in range(6)))
    assert await limits.kinds() == ["breached"]


async def test_limits_that_are_raised_or_withdrawn_clear_the_breach(limits: Limits) -> None:
    raised, withdrawn = limits.accounts.open(AAPL="7"), limits.accounts.open(AAPL="7")
    for portfolio in (raised, withdrawn):
        await limits.set(portfolio, limit("gross_exposure", "1000"))
    async with watching(limits.watch):
        await become(limits, "breached", "breached")
        await limits.set(raised, limit("gross_exposure", "2000"))
        await become(limits, "breached", "breached", "cleared")
        await limits.set(withdrawn)
        await become(limits, "breached", "breached", "cleared", "cleared")
    last = (await limits.told())[-1][1]
    assert (last.portfolio_id, last.utilisation.reason) == (withdrawn, "the limit was withdrawn")


async def test_a_silent_portfolio_service_breaches_nothing_and_is_asked_again(limits: Limits) -> None:
    portfolio = limits.accounts.open(AAPL="7")
    await limits.set(portfolio, limit("gross_exposure", "1000"))
    limits.accounts.available = False
    with pytest.raises(Unavailable):
        await limits.get(portfolio)
    async with watching(often(limits.watch)):
        await asyncio.sleep(1.0)
        assert await limits.kinds() == []
        limits.accounts.available = True
        await become(limits, "breached")


async def test_a_portfolio_that_is_gone_is_watched_no_more(limits: Limits) -> None:
    portfolio = limits.accounts.open()
    await limits.set(portfolio, limit("leverage", "1"))
    del limits.accounts.known[portfolio]
    async with watching(limits.watch), asyncio.timeout(15):
        left = 1
        while left:
            await asyncio.sleep(0.05)
            async with limits.database.system_transaction() as session:
                left = await session.scalar(text("SELECT count(*) FROM limit_watch")) or 0


async def test_a_recorded_transaction_is_measured_at_once_and_the_same_event_once(
    limits: Limits, nats_server: RunningServer
) -> None:
    portfolio = limits.accounts.open(AAPL="3")
    await limits.set(portfolio, limit("gross_exposure", "1000"))
    bus = EventBus(nats_server.url, "risk")
    await bus.connect()
    consumer = Consumer(
        "limits",
        subject="qm.portfolio.transaction.recorded",
        message=TransactionRecorded,
        handle=limits.watch.handle,
    )
    consuming = asyncio.create_task(consumer.run(limits.database, bus))
    message = TransactionRecorded(transaction=Transaction(id=str(uuid4()), portfolio_id=portfolio))
    now = to_timestamp(datetime.now(UTC))
    envelope = EventEnvelope(
        event_id=str(uuid4()),
        aggregate_id=portfolio,
        aggregate_version=1,
        owner_id=str(ADA),
        occurred_at=now,
        recorded_at=now,
        schema_version=1,
        type=message.DESCRIPTOR.full_name,
        payload=message.SerializeToString(),
    )
    # The clock alone would look again in an hour.
    async with watching(limits.watch):
        await asyncio.sleep(1.0)
        limits.accounts.hold(portfolio, AAPL="7")
        await asyncio.sleep(0.7)
        assert await limits.kinds() == []
        await ensure_stream(bus.jetstream, "portfolio")
        for _ in range(2):
            subject = f"qm.portfolio.transaction.recorded.{partition_of(portfolio)}"
            await bus.jetstream.publish(subject, envelope.SerializeToString())
        await become(limits, "breached")
    consuming.cancel()
    await asyncio.gather(consuming, return_exceptions=True)
    await bus.close()
