"""KYC and risk limits, asked before an order is taken; both at once, within a deadline."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from quantmesh.api.auth.v1 import compliance_pb2
from quantmesh.api.auth.v1.compliance_pb2_grpc import ComplianceServiceStub
from quantmesh.api.risk.v1 import limits_pb2
from quantmesh.api.risk.v1.limits_pb2_grpc import LimitServiceStub
from quantmesh.chassis.decimals import from_proto, to_proto
from quantmesh.chassis.identity import current_caller
from quantmesh.chassis.rpc import Peer
from quantmesh.chassis.rpc.bundling import Bundled
from quantmesh.portfolio.adapters import translate_orders
from quantmesh.portfolio.adapters.accounts import Accounts
from quantmesh.portfolio.adapters.kyc import may_trade, status_name
from quantmesh.portfolio.core.numbers import plain
from quantmesh.portfolio.core.orders import OrderType, TimeInForce
from quantmesh.portfolio.core.pre_trade import FigureChange, PreTradeAnswer, ProposedTrade
from quantmesh.portfolio.core.pre_trade_errors import KycRefused, LimitDenial, LimitExceeded, PreTradeUnavailable

TellKyc = Callable[[UUID, compliance_pb2.Kyc], Awaitable[None]]
Key = TypeVar("Key")
Value = TypeVar("Value")
# What is remembered of a user, or of an account, for as long as a change of it may go unnoticed.
_REMEMBERED_SECONDS = 5.0
_MOST_KEPT = 10_000
_IN_BASKETS = frozenset({"symbol", "side", "quantity"})
_SIDES = {side: number for number, side in translate_orders.ORDER_SIDES.items()}
_MONEY_RULES = frozenset(
    {
        limits_pb2.LIMIT_RULE_GROSS_EXPOSURE,
        limits_pb2.LIMIT_RULE_NET_EXPOSURE,
        limits_pb2.LIMIT_RULE_SYMBOL_NOTIONAL,
        limits_pb2.LIMIT_RULE_ORDER_NOTIONAL,
        limits_pb2.LIMIT_RULE_VALUE_AT_RISK,
        limits_pb2.LIMIT_RULE_EXPECTED_SHORTFALL,
        limits_pb2.LIMIT_RULE_DAILY_LOSS,
    }
)


@dataclass(frozen=True, slots=True)
class PreTradeRules:
    """`kyc_required`: only who is approved may trade; else all but the rejected and the suspended may."""

    kyc_required: bool
    deadline_seconds: float


class PreTradePeers:
    """PreTrade of the core's ports. The caller's KYC status, and whether an account may owe, are remembered for five
    seconds: who switches margin on meanwhile has his fills judged by the ledger alone.
    """

    def __init__(self, auth: Peer, risk: Peer, accounts: Accounts, rules: PreTradeRules, tell: TellKyc) -> None:
        """`tell` keeps a decision that auth answers, before it counts."""
        self._auth = auth
        self._compliance = ComplianceServiceStub(auth.channel)
        limits = LimitServiceStub(risk.channel)
        self._checks: Bundled[limits_pb2.CheckOrderRequest, limits_pb2.CheckOrderResponse] = Bundled(
            risk,
            limits.CheckOrder,
            limits.StreamChecks,
            bundle_type=limits_pb2.StreamChecksRequest,
            response_type=limits_pb2.CheckOrderResponse,
            timeout_seconds=rules.deadline_seconds,
        )
        self._accounts = accounts
        self._rules = rules
        self._tell = tell
        self._kept: OrderedDict[UUID, tuple[float, compliance_pb2.Kyc]] = OrderedDict()
        self._quick: OrderedDict[UUID, None] = OrderedDict()
        self._margin: OrderedDict[tuple[UUID, UUID], tuple[float, bool]] = OrderedDict()

    async def check(self, *trades: ProposedTrade, with_figures: bool = False) -> PreTradeAnswer:
        try:
            async with asyncio.timeout(self._rules.deadline_seconds):
                owner_id = current_caller().user_id
                remembered = _remembered(self._kept, owner_id)
                checking = self._checked(trades, with_figures=with_figures)
                if remembered is None:
                    status, answer = await asyncio.gather(self._kyc(owner_id), checking)
                else:
                    status, answer = remembered.status, await checking
        except TimeoutError as error:
            raise PreTradeUnavailable(self._rules.deadline_seconds) from error
        changes = [change for each in answer.changes if (change := _figure(each, answer.base_currency)) is not None]
        if not may_trade(status, approval_is_required=self._rules.kyc_required):
            refusal = KycRefused(status_name(status), approval_is_required=self._rules.kyc_required)
            return PreTradeAnswer(refusal, changes)
        if answer.allowed:
            return PreTradeAnswer(None, changes)
        denials = [_denial(each) for each in answer.changes if each.denied]
        return PreTradeAnswer(LimitExceeded(denials, _suggestion(trades, answer)), changes)

    def is_quick(self, portfolio_id: UUID) -> bool:
        may_owe = _remembered(self._margin, (current_caller().user_id, portfolio_id))
        return portfolio_id in self._quick and may_owe is False

    async def _kyc(self, owner_id: UUID) -> compliance_pb2.KycStatus.ValueType:
        # From before the question on: a decision counts five seconds after it was made, at the latest.
        until = time.monotonic() + _REMEMBERED_SECONDS
        answer = await self._auth.call(self._compliance.GetKyc, compliance_pb2.GetKycRequest())
        before = self._kept.get(owner_id)
        if answer.kyc.version > (0 if before is None else before[1].version):
            await self._tell(owner_id, answer.kyc)
        _keep(self._kept, owner_id, (until, answer.kyc))
        return answer.kyc.status

    async def _checked(self, trades: Sequence[ProposedTrade], *, with_figures: bool) -> limits_pb2.CheckOrderResponse:
        """The account is read and sent only where it may owe, or risk says that there is something to check."""
        portfolio_id = trades[0].portfolio_id
        request = limits_pb2.CheckOrderRequest(
            portfolio_id=str(portfolio_id), orders=[_order(trade) for trade in trades], with_figures=with_figures
        )
        if not await self._may_owe(portfolio_id):
            answer, _ = await self._checks.call_replayable(request)
            if not answer.account_needed:
                _keep(self._quick, portfolio_id, None)
                return answer
        self._quick.pop(portfolio_id, None)
        symbols = {trade.request.symbol for trade in trades}
        replaced = {trade.replaces.id for trade in trades if trade.replaces is not None}
        request.account.CopyFrom(await self._accounts.state(portfolio_id, symbols, without=replaced))
        return (await self._checks.call_replayable(request))[0]

    async def _may_owe(self, portfolio_id: UUID) -> bool:
        whose = current_caller().user_id, portfolio_id
        found = _remembered(self._margin, whose)
        if found is None:
            until = time.monotonic() + _REMEMBERED_SECONDS
            found = await self._accounts.may_owe(portfolio_id)
            _keep(self._margin, whose, (until, found))
        return found


def _remembered(kept: Mapping[Key, tuple[float, Value]], key: Key) -> Value | None:
    """What was kept until a time that has not come yet."""
    found = kept.get(key)
    return found[1] if found is not None and found[0] > time.monotonic() else None


def _keep(kept: OrderedDict[Key, Value], key: Key, value: Value) -> None:
    """Those that were not heard of for the longest go."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > _MOST_KEPT:
        kept.popitem(last=False)


def _order(trade: ProposedTrade) -> limits_pb2.CheckedOrder:
    request = trade.request
    is_market = request.type is OrderType.MARKET
    # A stop that was triggered takes what there is, as a market order does.
    is_priced = not is_market and (request.limit_price is not None or not trade.is_triggered)
    return limits_pb2.CheckedOrder(
        symbol=request.symbol,
        side=_SIDES[request.side],
        quantity=to_proto(request.quantity - trade.filled_quantity),
        price=to_proto(trade.price) if is_priced else None,
        rests=not is_market and request.time_in_force not in {TimeInForce.IOC, TimeInForce.FOK},
    )


def _figure(change: limits_pb2.LimitChange, currency: str) -> FigureChange | None:
    """None where a side of it is no number."""
    if not (change.HasField("before") and change.HasField("after")):
        return None
    return FigureChange(
        name=_rule(change),
        before=from_proto(change.before, "before"),
        after=from_proto(change.after, "after"),
        limit=from_proto(change.limit.limit, "limit") if change.limit.HasField("limit") else None,
        unit=currency if change.limit.rule in _MONEY_RULES else "",
    )


def _denial(change: limits_pb2.LimitChange) -> LimitDenial:
    return LimitDenial(
        rule=_rule(change),
        limit=_shown(change.limit, "limit") or "",
        value=_shown(change, "before"),
        after=_shown(change, "after"),
        symbol=change.symbol,
        reason=change.reason,
    )


def _rule(change: limits_pb2.LimitChange) -> str:
    return limits_pb2.LimitRule.Name(change.limit.rule).removeprefix("LIMIT_RULE_").lower()


def _shown(message: Any, field: str) -> str | None:
    return plain(Decimal(getattr(message, field).value)) if message.HasField(field) else None


def _suggestion(trades: Sequence[ProposedTrade], answer: limits_pb2.CheckOrderResponse) -> dict[str, Any] | None:
    """The request that passes: an order, the replacement of one, or a basket."""
    passing = [
        _body(trade, quantity)
        for trade, message in zip(trades, answer.passing_quantities, strict=False)
        if (quantity := from_proto(message, "quantity"))
    ]
    if not passing:
        return None
    return {"orders": passing} if trades[0].in_basket else passing[0]


def _body(trade: ProposedTrade, quantity: Decimal) -> dict[str, str]:
    """What was asked, but for the quantity: as /orders takes it; of a replacement, and of a basket, what those take."""
    asked = {**asdict(trade.request), "quantity": quantity + trade.filled_quantity}
    shown = {name: plain(value) if isinstance(value, Decimal) else value for name, value in asked.items() if value}
    if trade.in_basket:
        return {name: value for name, value in shown.items() if name in _IN_BASKETS}
    if trade.replaces is not None:
        return {name: value for name, value in shown.items() if name in trade.replaces.changeable}
    return {"portfolio_id": str(trade.portfolio_id), **shown}
