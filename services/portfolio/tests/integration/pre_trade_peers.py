"""Auth and risk as pre-trade checks see them: servers of one method each, that answer, refuse, or keep silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import grpc

from quantmesh.api.auth.v1 import compliance_pb2
from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.risk.v1 import limits_pb2
from quantmesh.chassis.rpc import Peer, open_channel
from quantmesh.portfolio.adapters.accounts import Accounts
from quantmesh.portfolio.adapters.kyc import remember_told
from quantmesh.portfolio.adapters.pre_trade import PreTradePeers, PreTradeRules
from quantmesh.portfolio.adapters.rpc import PortfolioRpc
from quantmesh.portfolio.adapters.store.halts import HaltStore
from quantmesh.portfolio.core.execution import ExecutionCosts
from quantmesh.portfolio.core.halts.model import Halt, HaltKind
from quantmesh.portfolio.core.orders import OrderRequest, OrderSide, OrderType, TimeInForce
from quantmesh.portfolio.core.pre_trade import PreTradeAnswer, ProposedTrade

from .fakes import COSTS, Service, User, asset

ALLOWED = limits_pb2.CheckOrderResponse(allowed=True)
GROSS = limits_pb2.Limit(rule=limits_pb2.LIMIT_RULE_GROSS_EXPOSURE, limit=common_pb2.Decimal(value="1000.00"))
DENIED = limits_pb2.CheckOrderResponse(
    changes=[
        limits_pb2.LimitChange(
            limit=GROSS,
            before=common_pb2.Decimal(value="450.0"),
            after=common_pb2.Decimal(value="1950.0"),
            denied=True,
        )
    ],
    passing_quantities=[common_pb2.Decimal(value="4")],
    base_currency="USD",
)


class Compliance:
    """Knows one status of everybody."""

    def __init__(self) -> None:
        self.status = compliance_pb2.KYC_STATUS_UNVERIFIED
        self.version = 0
        self.delay = 0.0
        self.asked = 0

    async def kyc(self, request: compliance_pb2.GetKycRequest, context: Any) -> compliance_pb2.GetKycResponse:
        self.asked += 1
        await asyncio.sleep(self.delay)
        return compliance_pb2.GetKycResponse(kyc=compliance_pb2.Kyc(status=self.status, version=self.version))


class Limits:
    """Answers `without` an account, and `answer` with one."""

    def __init__(self) -> None:
        self.without = ALLOWED
        self.answer = ALLOWED
        self.delay = 0.0
        self.asked: list[limits_pb2.CheckOrderRequest] = []
        self.heard = asyncio.Event()
        # Unset, it keeps silent until it is set.
        self.speaks = asyncio.Event()
        self.speaks.set()

    async def check(self, request: limits_pb2.CheckOrderRequest, context: Any) -> limits_pb2.CheckOrderResponse:
        self.asked.append(request)
        self.heard.set()
        await self.speaks.wait()
        await asyncio.sleep(self.delay)
        return self.answer if request.HasField("account") else self.without


async def serve(messages: Any, service: str, method: str, behaviour: Any) -> tuple[grpc.aio.Server, Peer]:
    """A server of one method, and the way there."""
    handler = grpc.unary_unary_rpc_method_handler(
        behaviour,
        request_deserializer=getattr(messages, f"{method}Request").FromString,
        response_serializer=getattr(messages, f"{method}Response").SerializeToString,
    )
    name = messages.DESCRIPTOR.services_by_name[service].full_name
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, Peer(service, open_channel(f"127.0.0.1:{port}", []), timeout_seconds=30.0)


@dataclass
class Checks:
    """The checks between the service and its two peers."""

    user: User
    service: Service
    peers: tuple[Peer, Peer]
    compliance: Compliance = field(default_factory=Compliance)
    limits: Limits = field(default_factory=Limits)

    def pre_trade(self, *, kyc_required: bool = False, seconds: float = 30.0) -> PreTradePeers:
        accounts = Accounts(self.service.database, self.service.market)
        rules, tell = PreTradeRules(kyc_required, seconds), partial(remember_told, self.service.database)
        return PreTradePeers(*self.peers, accounts, rules, tell)

    def trader(self, **rules: Any) -> User:
        """The same user, whose orders are checked."""
        service = self.service
        costs = ExecutionCosts(**COSTS)
        rpc = PortfolioRpc(service.database, service.market, service.clock, costs, self.pre_trade(**rules))
        return User(rpc, self.user.owner_id)

    async def halt(self, symbol: str = "") -> None:
        """By the kill switch; the whole market where no symbol is named."""
        async with self.service.database.system_transaction() as session:
            halt = Halt(uuid4(), HaltKind.KILL_SWITCH, symbol, "A drill.", "operator", self.service.clock.now())
            await HaltStore(session).add(halt)

    async def check(self, *trades: ProposedTrade, **more: Any) -> PreTradeAnswer:
        self.user.call()
        return await self.pre_trade(**more).check(*trades)


@asynccontextmanager
async def checked(service: Service) -> AsyncIterator[Checks]:
    compliance, limits = Compliance(), Limits()
    auth_server, auth = await serve(compliance_pb2, "ComplianceService", "GetKyc", compliance.kyc)
    risk_server, risk = await serve(limits_pb2, "LimitService", "CheckOrder", limits.check)
    yield Checks(service.user(), service, (auth, risk), compliance, limits)
    for peer, server in ((auth, auth_server), (risk, risk_server)):
        await peer.close()
        await server.stop(None)


def trade(portfolio_id: str, quantity: str = "10", symbol: str = "AAPL") -> ProposedTrade:
    request = OrderRequest(symbol, OrderSide.BUY, OrderType.MARKET, Decimal(quantity), TimeInForce.DAY, "mine-1")
    return ProposedTrade(UUID(portfolio_id), request, asset(symbol), Decimal("130.05"))
