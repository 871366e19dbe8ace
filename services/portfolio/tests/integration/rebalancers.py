"""A caller of rebalancing, beside a judge of orders that the test arranges."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.api.portfolio.v1 import rebalance_pb2
from quantmesh.portfolio.adapters.rpc.rebalance import RebalanceRpc
from quantmesh.portfolio.core.execution import ExecutionCosts
from quantmesh.portfolio.core.pre_trade import PreTradeAnswer, ProposedTrade

from .fakes import COSTS, NO_CONTEXT, Service, User
from .messages import decimal

BUY, SELL = pb.ORDER_SIDE_BUY, pb.ORDER_SIDE_SELL


class Judge:
    """PreTrade that answers as it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer = PreTradeAnswer()
        self.asked: list[Sequence[ProposedTrade]] = []

    async def check(self, *trades: ProposedTrade, with_figures: bool = False) -> PreTradeAnswer:
        self.asked.append(trades)
        return self.answer

    def is_quick(self, portfolio_id: UUID) -> bool:
        return False


@dataclass
class Rebalancer:
    user: User
    rpc: RebalanceRpc
    judge: Judge

    async def plan(self, portfolio_id: str, weights: dict[str, float], **wishes: str) -> Any:
        self.user.call()
        request = rebalance_pb2.PlanRebalanceRequest(
            portfolio_id=portfolio_id,
            target_weights=weights,
            **{name: decimal(value) for name, value in wishes.items()},
        )
        return await self.rpc.PlanRebalance(request, NO_CONTEXT)

    async def execute(self, portfolio_id: str, *orders: tuple[str, Any, str], key: str = "") -> Any:
        self.user.call(key or uuid.uuid4().hex)
        request = rebalance_pb2.ExecuteRebalanceRequest(
            portfolio_id=portfolio_id,
            orders=[
                rebalance_pb2.BasketOrder(symbol=symbol, side=side, quantity=decimal(quantity))
                for symbol, side, quantity in orders
            ],
        )
        return await self.rpc.ExecuteRebalance(request, NO_CONTEXT)


def rebalancer(service: Service, user: User, **costs: Decimal) -> Rebalancer:
    judge = Judge()
    rpc = RebalanceRpc(service.database, service.market, service.clock, ExecutionCosts(**(COSTS | costs)), judge)
    return Rebalancer(user, rpc, judge)


async def invested(user: User, cash: str = "100000.00") -> str:
    """100 AAPL in two lots, at 90 and 110."""
    portfolio = await user.create(lots=pb.LOT_METHOD_FIFO)
    await user.deposit(portfolio.id, cash)
    await user.buy(portfolio.id, "60", "90", "2020-01-03")
    await user.buy(portfolio.id, "40", "110", "2020-01-06")
    return portfolio.id
