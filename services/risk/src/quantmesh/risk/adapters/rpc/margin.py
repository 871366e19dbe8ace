"""Margin requirements and cures."""

import asyncio
from typing import Any

from quantmesh.api.risk.v1 import margin_pb2 as pb
from quantmesh.api.risk.v1.margin_pb2_grpc import MarginServiceServicer
from quantmesh.api.risk.v1.risk_pb2 import InlinePositions
from quantmesh.chassis.identity import requires
from quantmesh.chassis.times import to_timestamp
from quantmesh.quant.margin import FixedMargin, GroupMargin, Line
from quantmesh.risk.adapters.rpc.base import Methods, chosen
from quantmesh.risk.adapters.rpc.positions import position_to
from quantmesh.risk.core.margin import BookMargin, Rule, Shortfall, Wanted, margin_of
from quantmesh.risk.core.model import Book

_RULES: dict[int, Rule] = {pb.MARGIN_RULE_REGULATION_T: "regulation_t", pb.MARGIN_RULE_PORTFOLIO: "portfolio"}


class MarginRpc(Methods, MarginServiceServicer):
    @requires("risk:use")
    async def Margin(self, request: pb.MarginRequest, context: Any) -> pb.MarginResponse:
        wanted = Wanted(
            rule=chosen("rule", request.rule, _RULES),
            rate=request.book.rate,
            equity=request.equity if request.HasField("equity") else None,
            broad_indices=frozenset(request.broad_indices),
        )
        book, history = await self._measured(request.book)
        has_cash = request.book.WhichOneof("book") == "portfolio_id"
        found = await asyncio.to_thread(margin_of, book, history, wanted, has_cash=has_cash)
        answer = pb.MarginResponse(
            rule=request.rule,
            requirement=found.requirement,
            equity=found.equity,
            shortfall=None if found.shortfall is None else _shortfall(found.shortfall),
            currency=book.currency,
            market_value=found.market_value,
            as_of=to_timestamp(history.as_of),
        )
        _add_parts(answer, found, book)
        return answer


def _add_parts(answer: pb.MarginResponse, found: BookMargin, book: Book) -> None:
    if isinstance(found.found, FixedMargin):
        answer.initial = found.found.initial
        answer.lines.extend(_line(line, book) for line in found.found.lines)
    else:
        answer.groups.extend(_group(group) for group in found.found.groups)


def _line(line: Line, book: Book) -> pb.MarginLine:
    held = [book.positions[index] for index in line.positions]
    return pb.MarginLine(
        rule=pb.MarginLineRule.Value(f"MARGIN_LINE_RULE_{line.rule.replace(' ', '_').upper()}"),
        positions=[position_to(position) for position in held],
        units=line.units,
        initial=line.initial,
        maintenance=line.maintenance,
    )


def _group(group: GroupMargin) -> pb.MarginGroup:
    return pb.MarginGroup(
        symbol=group.group,
        requirement=group.requirement,
        scan_loss=group.scan_loss,
        minimum=group.minimum,
        at_minimum=group.binding == "minimum",
        spot_move=group.price_move,
        volatility_move=group.volatility_move,
    )


def _shortfall(found: Shortfall) -> pb.MarginShortfall:
    cured = None
    if found.cured:
        cured = InlinePositions(positions=[position_to(position) for position in found.cured])
    return pb.MarginShortfall(
        amount=found.amount,
        cures=[
            pb.MarginCure(
                change=position_to(cure.change),
                requirement=cure.requirement,
                traded_value=cure.traded_value,
            )
            for cure in found.cures
        ],
        proportional=found.proportional,
        cured=cured,
    )
