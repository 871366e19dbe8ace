"""Limits on a real database and over a real channel, with hand-written stand-ins for market and portfolio."""

import time
import uuid
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import jwt

from quantmesh.api.common.v1.common_pb2 import Decimal as DecimalMessage
from quantmesh.api.portfolio.v1 import account_pb2, portfolio_pb2
from quantmesh.api.risk.v1 import limits_pb2 as pb
from quantmesh.api.risk.v1.events_pb2 import LimitBreached, LimitCleared
from quantmesh.api.risk.v1.limits_pb2_grpc import LimitServiceStub, add_LimitServiceServicer_to_server
from quantmesh.chassis.context import CallContext, Caller, current_caller, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import NotFound, Unavailable
from quantmesh.chassis.identity import AUDIENCE, ISSUER, TOKEN_TYPE, TokenVerifier
from quantmesh.chassis.rpc import Peer, RpcServer, open_channel
from quantmesh.chassis.sql import text
from quantmesh.chassis.times import to_timestamp
from quantmesh.risk.adapters.limits.histories import Histories
from quantmesh.risk.adapters.limits.measuring import Measuring
from quantmesh.risk.adapters.limits.watch import LimitWatch
from quantmesh.risk.adapters.rpc.limits import LimitRpc
from quantmesh.risk.core.limits.account import Account, Instrument

from .served_risk import CLOSE, KEY, PRICES, OneKey, StandInMarket

ADA, BOB = uuid.uuid4(), uuid.uuid4()
SCOPES = "risk:use portfolio:write orders:write"


class TickingClock:
    """Of a time that is past for the database's clock, on whatever machine."""

    def __init__(self) -> None:
        self.time = datetime(2022, 11, 1, 9, tzinfo=UTC)

    def now(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


class StandInAccounts:
    """Portfolios of owners; who asks for another's finds none."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[UUID, Account]] = {}
        self.available = True
        self.asked = 0

    def open(self, owner_id: UUID = ADA, **held: str) -> str:
        portfolio_id = str(uuid.uuid4())
        self.known[portfolio_id] = (owner_id, account(**held))
        return portfolio_id

    def hold(self, portfolio_id: str, **held: str) -> None:
        self.known[portfolio_id] = (self.known[portfolio_id][0], account(**held))

    async def base_currency(self, portfolio_id: str) -> str:
        return (await self.account(portfolio_id, ())).currency

    async def account(self, portfolio_id: str, symbols: Collection[str]) -> Account:
        self.asked += 1
        if not self.available:
            raise Unavailable("The portfolio service does not answer.")
        owner_id, found = self.known.get(portfolio_id, (None, account()))
        if owner_id != current_caller().user_id:
            raise NotFound("There is no such portfolio.")
        unknown = {
            symbol: Instrument(symbol, Decimal(0), "", None, None)
            for symbol in symbols
            if symbol not in found.instruments
        }
        return replace(found, instruments={**found.instruments, **unknown})


def account(cash: str = "10000", day_profit: str = "0", **held: str) -> Account:
    instruments = {
        symbol: Instrument(symbol, Decimal(held.get(symbol, "0")), "USD", Decimal(str(price)), Decimal(1))
        for symbol, price in PRICES.items()
    }
    return Account("USD", Decimal(cash), instruments, CLOSE, day_profit=Decimal(day_profit))


def account_message(found: Account, portfolio_id: str) -> account_pb2.AccountState:
    assert found.cash is not None
    assert found.day_profit is not None
    return account_pb2.AccountState(
        portfolio_id=portfolio_id,
        base_currency=found.currency,
        cash=decimal(str(found.cash)),
        instruments=[
            account_pb2.AccountInstrument(
                symbol=each.symbol,
                quantity=decimal(str(each.quantity)),
                currency=each.currency,
                price=decimal(str(each.price)),
                exchange_rate=decimal("1"),
                lot_size=decimal("1"),
            )
            for each in found.instruments.values()
        ],
        day_profit=decimal(str(found.day_profit)),
        as_of=to_timestamp(found.as_of),
    )


def decimal(value: str) -> DecimalMessage:
    return DecimalMessage(value=value)


def limit(rule: str, most: str, warning: str = "", **more: Any) -> pb.Limit:
    asked = pb.Limit(rule=pb.LimitRule.Value(f"LIMIT_RULE_{rule.upper()}"), limit=decimal(most), **more)
    if warning:
        asked.warning.CopyFrom(decimal(warning))
    return asked


def order(symbol: str, quantity: str, side: str = "BUY", **more: Any) -> pb.CheckedOrder:
    return pb.CheckedOrder(
        symbol=symbol, side=portfolio_pb2.OrderSide.Value(f"ORDER_SIDE_{side}"), quantity=decimal(quantity), **more
    )


def act_as(owner_id: UUID, scopes: str = SCOPES) -> None:
    now = int(time.time())
    claims = {"sub": str(owner_id), "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 300, "scope": scopes}
    token = jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": "k", "typ": TOKEN_TYPE})
    set_call(CallContext(caller=Caller("", frozenset(), frozenset(), "", "", token, 0.0, None)))


@dataclass
class Limits:
    """The service as its clients and its tests see it."""

    peer: Peer
    stub: LimitServiceStub
    database: Database
    accounts: StandInAccounts
    watch: LimitWatch
    tasks: list[Any] = field(default_factory=list)

    async def set(self, portfolio_id: str, *limits: pb.Limit, **more: Any) -> pb.LimitDefinition:
        request = pb.SetLimitsRequest(portfolio_id=portfolio_id, limits=limits, **more)
        return (await self.peer.call(self.stub.SetLimits, request)).definition

    async def get(self, portfolio_id: str, **more: Any) -> pb.GetLimitsResponse:
        return await self.peer.call(self.stub.GetLimits, pb.GetLimitsRequest(portfolio_id=portfolio_id, **more))

    async def check(self, portfolio_id: str, *orders: pb.CheckedOrder, **more: Any) -> pb.CheckOrderResponse:
        request = pb.CheckOrderRequest(portfolio_id=portfolio_id, orders=orders, **more)
        return await self.peer.call(self.stub.CheckOrder, request)

    async def told(self) -> list[tuple[str, LimitBreached | LimitCleared]]:
        """The events so far, in the order in which they will be published."""
        kinds: dict[str, type[LimitBreached | LimitCleared]] = {
            "risk.limit.breached": LimitBreached,
            "risk.limit.cleared": LimitCleared,
        }
        async with self.database.system_transaction() as session:
            found = await session.execute(text("SELECT subject, payload FROM outbox ORDER BY position"))
            return [(row.subject, kinds[row.subject].FromString(bytes(row.payload))) for row in found]

    async def kinds(self) -> list[str]:
        return [subject.removeprefix("risk.limit.") for subject, _ in await self.told()]


@asynccontextmanager
async def served_limits(url: str) -> AsyncIterator[Limits]:
    database, clock = Database(url, "risk"), TickingClock()
    market, accounts = StandInMarket(), StandInAccounts()
    measuring = Measuring(Histories(market))
    server = RpcServer("127.0.0.1:0", TokenVerifier(OneKey()))
    server.add_servicer(add_LimitServiceServicer_to_server, LimitRpc(database, measuring, market, accounts, clock))
    await server.start()
    peer = Peer("risk", open_channel(f"127.0.0.1:{server.port}", []), timeout_seconds=30.0)
    watch = LimitWatch(database, measuring, accounts, clock, timedelta(hours=1))
    act_as(ADA)
    yield Limits(peer, LimitServiceStub(peer.channel), database, accounts, watch)
    await peer.close()
    await server.stop(0)
    await database.close()


def often(watch: LimitWatch) -> LimitWatch:
    """Measures by the clock, all the time."""
    return replace(watch, every=timedelta(milliseconds=50))
