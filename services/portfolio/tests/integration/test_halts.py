"""Halts in the database: imposed once, lifted once, told once, and never rewritten."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from quantmesh.api.portfolio.v1 import halts_pb2 as pb
from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.errors import InvalidInput
from quantmesh.chassis.identity import access_of
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.sql import text
from quantmesh.portfolio.adapters.rpc.halts import HaltRpc
from quantmesh.portfolio.adapters.store.halts import HaltStore
from quantmesh.portfolio.core.errors import HaltInForce, HaltLifted, HaltNotFound, UnknownSymbol
from quantmesh.portfolio.core.halts.impose import trip_breaker
from quantmesh.portfolio.core.halts.model import Trip

from .fakes import NO_CONTEXT, NOW, Service, User

KINDS: Mapping[str, Any] = {"operator": pb.HALT_KIND_OPERATOR, "kill_switch": pb.HALT_KIND_KILL_SWITCH}


class Operator:
    """Someone who may halt."""

    def __init__(self, service: Service) -> None:
        self.user: User = service.user()
        self.rpc = HaltRpc(service.database, service.market, service.clock)

    async def impose(
        self, kind: str = "operator", symbol: str = "", cause: str = "a drill", *, key: str = ""
    ) -> pb.Halt:
        self.user.call(key)
        request = pb.ImposeHaltRequest(kind=KINDS[kind], symbol=symbol, cause=cause)
        return (await self.rpc.ImposeHalt(request, NO_CONTEXT)).halt

    async def lift(self, halt_id: str) -> pb.Halt:
        self.user.call()
        return (await self.rpc.LiftHalt(pb.LiftHaltRequest(id=halt_id), NO_CONTEXT)).halt

    async def seen(self, **fields: Any) -> list[pb.Halt]:
        self.user.call()
        return list((await self.rpc.ListHalts(pb.ListHaltsRequest(**fields), NO_CONTEXT)).halts)


@pytest.fixture
def operator(service: Service) -> Operator:
    return Operator(service)


_TOLD = text("SELECT subject, payload FROM outbox WHERE aggregate_id = 'halts' ORDER BY position")
_MESSAGES: Mapping[str, type[pb.HaltImposed] | type[pb.HaltLifted]] = {
    "portfolio.halt.imposed": pb.HaltImposed,
    "portfolio.halt.lifted": pb.HaltLifted,
}


async def told(service: Service) -> list[tuple[str, pb.Halt]]:
    """The events of halts, in order."""
    async with service.database.system_transaction() as session:
        rows = await session.execute(_TOLD)
        return [(row.subject, _MESSAGES[row.subject].FromString(bytes(row.payload)).halt) for row in rows]


async def test_a_halt_tells_who_imposed_it_why_and_who_lifted_it(service: Service, operator: Operator) -> None:
    imposed = await operator.impose("operator", "AAPL", "news are pending")
    assert (imposed.symbol, imposed.cause, imposed.imposed_by) == (
        "AAPL",
        "news are pending",
        str(operator.user.owner_id),
    )
    assert not imposed.HasField("lifted_at")
    assert await operator.seen(in_force=True) == [imposed]
    service.clock.time += timedelta(minutes=3)
    other = Operator(service)
    lifted = await other.lift(imposed.id)
    assert (lifted.lifted_by, lifted.version) == (str(other.user.owner_id), 2)
    assert lifted.lifted_at.ToDatetime() - lifted.imposed_at.ToDatetime() >= timedelta(minutes=3)
    assert await operator.seen(in_force=True) == []
    assert await operator.seen() == [lifted]
    assert await told(service) == [("portfolio.halt.imposed", imposed), ("portfolio.halt.lifted", lifted)]


async def test_a_halt_of_a_kind_and_symbol_is_in_force_once(operator: Operator) -> None:
    outcomes = await asyncio.gather(*(operator.impose("operator", "AAPL") for _ in range(8)), return_exceptions=True)
    first = [outcome for outcome in outcomes if isinstance(outcome, pb.Halt)]
    assert len(first) == 1
    assert sum(isinstance(outcome, HaltInForce) for outcome in outcomes) == 7
    await operator.impose("kill_switch", "AAPL")
    await operator.impose("operator", "MSFT")
    await operator.lift(first[0].id)
    assert (await operator.impose("operator", "AAPL")).id != first[0].id
    assert [halt.symbol for halt in await operator.seen(symbol="AAPL")] == ["AAPL"] * 3


async def test_a_halt_is_lifted_once_and_an_unknown_one_not_at_all(service: Service, operator: Operator) -> None:
    halt = await operator.impose()
    outcomes = await asyncio.gather(*(operator.lift(halt.id) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(outcome, pb.Halt) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, HaltLifted) for outcome in outcomes) == 3
    assert len(await told(service)) == 2
    for nobodys in (str(uuid4()), "nonsense"):
        with pytest.raises(HaltNotFound):
            await operator.lift(nobodys)


async def test_the_same_key_imposes_one_halt(operator: Operator) -> None:
    first = await operator.impose(key="k")
    assert await operator.impose(key="k") == first
    with pytest.raises(InvalidInput, match="used before"):
        await operator.impose(cause="another", key="k")


async def test_trading_can_be_stopped_while_the_market_service_is_silent(service: Service, operator: Operator) -> None:
    service.market.available = False
    assert (await operator.impose("kill_switch")).symbol == ""
    # By the form of its name alone: it is the symbol that trades on what nobody knows which has to be stopped.
    assert (await operator.impose("kill_switch", "AAPL")).symbol == "AAPL"
    with pytest.raises(InvalidInput, match="not a symbol"):
        await operator.impose("kill_switch", "aapl")


async def test_what_makes_no_halt_is_refused(operator: Operator) -> None:
    with pytest.raises(UnknownSymbol):
        await operator.impose("operator", "NOPE")
    operator.user.call()
    for request in (
        pb.ImposeHaltRequest(cause="a drill"),
        pb.ImposeHaltRequest(kind=pb.HALT_KIND_BREAKER, cause="a drill"),
        pb.ImposeHaltRequest(kind=pb.HALT_KIND_OPERATOR),
    ):
        with pytest.raises(InvalidInput):
            await operator.rpc.ImposeHalt(request, NO_CONTEXT)
    assert await operator.seen() == []


def test_only_operators_may_halt() -> None:
    rules = {name: access_of(getattr(HaltRpc, name)) for name in ("ListHalts", "ImposeHalt", "LiftHalt")}
    assert {name: rule.scope if rule else "" for name, rule in rules.items()} == {
        "ListHalts": "market:read",
        "ImposeHalt": "halts:manage",
        "LiftHalt": "halts:manage",
    }


async def test_pages_of_halts_follow_on(operator: Operator) -> None:
    imposed = [(await operator.impose("operator", symbol)).id for symbol in ("AAPL", "MSFT", "IBM")]
    request = pb.ListHaltsRequest()
    request.page.limit = 2
    first = await operator.rpc.ListHalts(request, NO_CONTEXT)
    request.page.cursor = first.page.next_cursor
    second = await operator.rpc.ListHalts(request, NO_CONTEXT)
    assert [halt.id for halt in (*first.halts, *second.halts)] == imposed[::-1]
    assert second.page.next_cursor == ""


async def test_a_breaker_that_two_leaders_trip_is_imposed_once_and_its_level_is_remembered(service: Service) -> None:
    trip = Trip("", "the index fell", NOW, NOW + timedelta(minutes=15), level=2)
    for expected in (True, False):
        set_call(CallContext())
        imposed = True
        try:
            async with service.database.system_transaction() as session:
                await trip_breaker(HaltStore(session), trip, service.clock.now(), uuid7)
        except HaltInForce:
            imposed = False
        assert imposed is expected
    async with service.database.system_transaction() as session:
        assert await HaltStore(session).level_taken(NOW) == 2
        earlier_that_day = await HaltStore(session).level_taken(NOW - timedelta(minutes=1))
        assert earlier_that_day == 0, "what a replay met before it was rewound is met again"
        assert await HaltStore(session).level_taken(NOW - timedelta(days=1)) == 0


async def test_the_database_keeps_the_history_of_halts(service: Service, operator: Operator) -> None:
    halt = await operator.impose()
    changes = (
        "UPDATE halt SET cause = 'another'",
        "UPDATE halt SET version = 9",
        "UPDATE halt SET lifted_at = now(), lifted_by = 'me', cause = 'another'",
        "DELETE FROM halt",
        "TRUNCATE halt",
    )
    async with await psycopg.AsyncConnection.connect(
        service.admin_url, options="-c search_path=portfolio", autocommit=True
    ) as admin:
        for change in changes:
            with pytest.raises(psycopg.errors.ModifyingSqlDataNotPermitted):
                await admin.execute(change)
        await operator.lift(halt.id)
        with pytest.raises(psycopg.errors.ModifyingSqlDataNotPermitted):
            await admin.execute("UPDATE halt SET lifted_at = NULL, lifted_by = ''")
    async with await psycopg.AsyncConnection.connect(
        service.app_url, options="-c search_path=portfolio", autocommit=True
    ) as app:
        for change in (*changes[:1], *changes[2:]):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await app.execute(change)
