"""RiskService over gRPC; the arithmetic runs in a thread, so that calls beside it go on."""

import asyncio
from datetime import datetime
from decimal import Decimal
from typing import Any, get_args

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.api.risk.v1.risk_pb2_grpc import RiskServiceServicer
from quantmesh.chassis.decimals import from_proto, to_proto
from quantmesh.chassis.identity import requires
from quantmesh.chassis.times import from_timestamp, to_timestamp
from quantmesh.risk.core.errors import EmptyBook, UnadjustedSeries, UnknownChoice
from quantmesh.risk.core.model import Book, Floats, History, Terms, checked_observations
from quantmesh.risk.core.optimize import Allocation, Bounds, Objective, ProposedOrder, optimum_of, orders_to
from quantmesh.risk.core.ports import Market, Portfolios
from quantmesh.risk.core.value_at_risk import Method, value_at_risk_of

_METHODS: dict[int, Method] = {
    pb.VALUE_AT_RISK_METHOD_HISTORICAL: "historical",
    pb.VALUE_AT_RISK_METHOD_PARAMETRIC: "parametric",
}
_OBJECTIVES: dict[int, Objective] = {
    pb.OBJECTIVE_MINIMUM_VARIANCE: "minimum_variance",
    pb.OBJECTIVE_MAXIMUM_SHARPE: "maximum_sharpe",
    pb.OBJECTIVE_RISK_PARITY: "risk_parity",
}
_SYMBOL_LIMIT = 1000


class RiskRpc(RiskServiceServicer):
    def __init__(self, market: Market, portfolios: Portfolios) -> None:
        self._market = market
        self._portfolios = portfolios

    @requires("risk:use")
    async def ValueAtRisk(self, request: pb.ValueAtRiskRequest, context: Any) -> pb.ValueAtRiskResponse:
        method = _METHODS.get(request.method)
        if method is None:
            raise UnknownChoice("method", f"must be one of {', '.join(get_args(Method))}")
        observations = checked_observations(request.observations)
        as_of, known_at = _instant(request, "as_of"), _instant(request, "known_at")
        book = (await self._book(request, as_of, known_at)).require_positions()
        history, now, _ = await asyncio.gather(
            self._market.history(list(book.quantities), observations + 1, as_of, known_at),
            self._market.now(),
            self._adjusted(list(book.quantities)),
        )
        risk = await asyncio.to_thread(
            value_at_risk_of, book, history, method, request.confidence, request.horizon_days, observations
        )
        contributions = [
            pb.RiskContribution(symbol=symbol, market_value=value, value_at_risk=at_risk, expected_shortfall=shortfall)
            for symbol, value, at_risk, shortfall in zip(
                history.symbols,
                risk.market_values,
                risk.figure.contributions,
                risk.figure.shortfall_contributions,
                strict=True,
            )
        ]
        return pb.ValueAtRiskResponse(
            value_at_risk=risk.figure.value,
            expected_shortfall=risk.figure.expected_shortfall,
            contributions=contributions,
            observations=observations,
            as_of=to_timestamp(history.as_of),
            currency=book.currency,
            market_value=float(risk.market_values.sum()),
            method=request.method,
            confidence=request.confidence,
            horizon_days=request.horizon_days,
            stale=book.stale or history.is_stale(now if as_of is None else min(as_of, now)),
        )

    @requires("risk:use")
    async def Optimize(self, request: pb.OptimizeRequest, context: Any) -> pb.OptimizeResponse:
        objective = _OBJECTIVES.get(request.objective)
        if objective is None:
            raise UnknownChoice("objective", f"must be one of {', '.join(get_args(Objective))}")
        observations = checked_observations(request.observations)
        as_of, known_at = _instant(request, "as_of"), _instant(request, "known_at")
        book = None
        if request.portfolio_id:
            book = await self._portfolios.book(request.portfolio_id, as_of, known_at)
        symbols = _universe(request, book)
        history, terms = await asyncio.gather(
            self._market.history(symbols, observations + 1, as_of, known_at), self._adjusted(symbols)
        )
        held = None if book is None else _market_values(book, history)
        optimum = await asyncio.to_thread(
            optimum_of, history, objective, _bounds(request.constraints), request.risk_free_rate, observations, held
        )
        benchmarks = {"equal_weight": _allocation(optimum.equal_weight, history)}
        if optimum.current is not None:
            benchmarks["current"] = _allocation(optimum.current, history)
        orders: list[ProposedOrder] = []
        if book is not None:
            orders = orders_to(optimum, history, book, [each.lot_size for each in terms])
        return pb.OptimizeResponse(
            optimal=_allocation(optimum.optimal, history),
            benchmarks=benchmarks,
            objective=request.objective,
            observations=observations,
            as_of=to_timestamp(history.as_of),
            solver=optimum.solver,
            orders=[_order(order) for order in orders],
        )

    async def _adjusted(self, symbols: list[str]) -> list[Terms]:
        """The symbols' terms; raises UnadjustedSeries."""
        terms = await self._market.terms(symbols)
        raw = [symbol for symbol, each in zip(symbols, terms, strict=True) if each.is_raw]
        if raw:
            raise UnadjustedSeries(raw)
        return terms

    async def _book(self, request: pb.ValueAtRiskRequest, as_of: datetime | None, known_at: datetime | None) -> Book:
        match request.WhichOneof("book"):
            case "portfolio_id":
                return await self._portfolios.book(request.portfolio_id, as_of, known_at)
            case "positions":
                return await self._inline(request.positions)
            case _:
                raise UnknownChoice("book", "must be a portfolio_id or positions")

    async def _inline(self, positions: pb.InlinePositions) -> Book:
        given: dict[str, Decimal] = {}
        for index, position in enumerate(positions.positions):
            if position.symbol in given:
                raise UnknownChoice(f"positions[{index}].symbol", f"{position.symbol} is given twice")
            given[position.symbol] = from_proto(position.quantity, f"positions[{index}].quantity")
        _check_count(len(given))
        terms = await self._market.terms(list(given))
        return Book.of(
            {symbol: (given[symbol], each.currency) for symbol, each in zip(given, terms, strict=True)}, cash={}
        )


def _universe(request: pb.OptimizeRequest, book: Book | None) -> list[str]:
    if request.symbols:
        repeated = [symbol for symbol in request.symbols if list(request.symbols).count(symbol) > 1]
        if repeated:
            raise UnknownChoice("symbols", f"gives {repeated[0]} twice")
        _check_count(len(request.symbols))
        return list(request.symbols)
    held = [symbol for symbol, quantity in book.quantities.items() if quantity > 0] if book is not None else []
    if not held:
        raise EmptyBook("give symbols, or a portfolio that holds some")
    return held


def _check_count(count: int) -> None:
    if count > _SYMBOL_LIMIT:
        raise UnknownChoice("symbols", f"may be {_SYMBOL_LIMIT} at most; there are {count}")


def _market_values(book: Book, history: History) -> Floats:
    quantities = [float(book.quantities.get(symbol, Decimal(0))) for symbol in history.symbols]
    return np.array(quantities) * history.last


def _bounds(constraints: pb.Constraints) -> Bounds:
    return Bounds(
        minimum=constraints.minimum_weight if constraints.HasField("minimum_weight") else None,
        maximum=constraints.maximum_weight if constraints.HasField("maximum_weight") else None,
        by_symbol={
            bound.symbol: (
                bound.minimum if bound.HasField("minimum") else None,
                bound.maximum if bound.HasField("maximum") else None,
            )
            for bound in constraints.bounds
        },
    )


def _allocation(allocation: Allocation, history: History) -> pb.Allocation:
    weights = dict(zip(history.symbols, (float(weight) for weight in allocation.weights), strict=True))
    statistics = pb.AllocationStatistics(
        expected_return=allocation.expected_return, volatility=allocation.volatility, sharpe=allocation.sharpe
    )
    return pb.Allocation(weights=weights, statistics=statistics)


def _order(order: ProposedOrder) -> pb.ProposedOrder:
    return pb.ProposedOrder(
        symbol=order.symbol,
        side="buy" if order.quantity > 0 else "sell",
        quantity=to_proto(abs(order.quantity)),
        price=to_proto(order.price),
    )


def _instant(request: pb.ValueAtRiskRequest | pb.OptimizeRequest, field: str) -> datetime | None:
    stamps: dict[str, Timestamp] = {descriptor.name: stamp for descriptor, stamp in request.ListFields()}
    return from_timestamp(stamps[field], field) if field in stamps else None
