"""Optimised weights and the frontier."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.chassis.decimals import to_proto
from quantmesh.chassis.identity import requires
from quantmesh.chassis.times import to_timestamp
from quantmesh.risk.adapters.rpc.base import ESTIMATORS, Methods, check_count, chosen, instant
from quantmesh.risk.core.closes import history_of
from quantmesh.risk.core.constraints import Constraints, Group
from quantmesh.risk.core.errors import EmptyBook, OutOfDomain, UnknownChoice, listed, require_one_currency
from quantmesh.risk.core.frontier import frontier_of
from quantmesh.risk.core.model import Book, Floats, History, Terms, checked_observations
from quantmesh.risk.core.optimize import Allocation, Objective, View, Wanted, optimum_of
from quantmesh.risk.core.orders import ProposedOrder, orders_to

_OBJECTIVES: dict[int, Objective] = {
    pb.OBJECTIVE_MINIMUM_VARIANCE: "minimum_variance",
    pb.OBJECTIVE_MAXIMUM_SHARPE: "maximum_sharpe",
    pb.OBJECTIVE_RISK_PARITY: "risk_parity",
    pb.OBJECTIVE_MEAN_VARIANCE: "mean_variance",
    pb.OBJECTIVE_MINIMUM_CVAR: "minimum_cvar",
    pb.OBJECTIVE_HIERARCHICAL_RISK_PARITY: "hierarchical_risk_parity",
    pb.OBJECTIVE_BLACK_LITTERMAN: "black_litterman",
}
_RISK_AVERSION = 2.5
_CONFIDENCE = 0.95
_POINTS = 25
_MOST_POINTS = 200


class OptimizeMethods(Methods):
    @requires("risk:use")
    async def Optimize(self, request: pb.OptimizeRequest, context: Any) -> pb.OptimizeResponse:
        objective = chosen("objective", request.objective, _OBJECTIVES)
        history, wanted, book, terms = await self._prepared(request, objective)
        optimum = await asyncio.to_thread(optimum_of, history, wanted)
        orders: list[ProposedOrder] = []
        if book is not None:
            orders = orders_to(optimum.optimal.weights, history, book, terms)
        return pb.OptimizeResponse(
            optimal=_allocation(optimum.optimal, history),
            benchmarks=_benchmarks(optimum.equal_weight, optimum.current, history),
            objective=request.objective,
            observations=wanted.observations,
            as_of=to_timestamp(history.as_of),
            solver=optimum.solver,
            orders=[_order(order) for order in orders],
            objective_value=optimum.objective,
            bound=optimum.bound,
            gap=optimum.gap,
            iterations=optimum.iterations,
        )

    @requires("risk:use")
    async def Frontier(self, request: pb.FrontierRequest, context: Any) -> pb.FrontierResponse:
        points = request.points or _POINTS
        if not 2 <= points <= _MOST_POINTS:
            raise OutOfDomain("points", points, f"from 2 to {_MOST_POINTS}")
        history, wanted, _, _ = await self._prepared(request.allocation, "minimum_variance")
        found = await asyncio.to_thread(frontier_of, history, wanted, points)
        return pb.FrontierResponse(
            points=[_allocation(point, history) for point in found.points],
            benchmarks=_benchmarks(found.equal_weight, found.current, history),
            observations=wanted.observations,
            as_of=to_timestamp(history.as_of),
        )

    async def _prepared(
        self, request: pb.OptimizeRequest, objective: Objective
    ) -> tuple[History, Wanted, Book | None, Mapping[str, Terms]]:
        observations = checked_observations(request.observations)
        as_of, known_at = instant(request, "as_of"), instant(request, "known_at")
        book = None
        if request.portfolio_id:
            book = await self._portfolios.book(request.portfolio_id, as_of, known_at)
        terms = await self._universe(request, book)
        history = await history_of(self._market, terms, observations + 1, as_of, known_at)
        require_one_currency(each.currency for each in terms.values())
        wanted = Wanted(
            objective=objective,
            observations=observations,
            constraints=_constraints(request.constraints),
            risk_free_rate=request.risk_free_rate,
            estimator=chosen("covariance", request.covariance, ESTIMATORS),
            risk_aversion=request.risk_aversion or _RISK_AVERSION,
            confidence=request.confidence or _CONFIDENCE,
            views=[
                View(dict(view.weights), view.expected_return, view.confidence if view.HasField("confidence") else None)
                for view in request.views
            ],
            market_weights=dict(request.market_weights),
            budgets=dict(request.budgets),
            held=None if book is None else _market_values(book, history),
        )
        return history, wanted, book, terms

    async def _universe(self, request: pb.OptimizeRequest, book: Book | None) -> Mapping[str, Terms]:
        """The symbols that weights are sought for, with their terms: those asked for, or what is held but options."""
        asked = _distinct(request.symbols)
        held = [symbol for symbol, quantity in book.quantities.items() if quantity > 0] if book is not None else []
        terms = await self._market.terms(asked or held)
        options = [symbol for symbol, each in terms.items() if each.contract is not None]
        if asked and options:
            raise UnknownChoice("symbols", f"has {listed(options)}; an option has no weight of its own")
        assets = {symbol: each for symbol, each in terms.items() if each.contract is None}
        if not assets:
            raise EmptyBook("give symbols, or a portfolio that holds some")
        return assets


def _distinct(symbols: Sequence[str]) -> list[str]:
    check_count(len(symbols))
    for symbol, count in Counter(symbols).most_common(1):
        if count > 1:
            raise UnknownChoice("symbols", f"gives {symbol} twice")
    return list(symbols)


def _market_values(book: Book, history: History) -> Floats:
    values: Floats = np.array(book.held(history.symbols), np.float64) * history.last
    return values


def _constraints(given: pb.Constraints) -> Constraints:
    return Constraints(
        minimum=given.minimum_weight if given.HasField("minimum_weight") else None,
        maximum=given.maximum_weight if given.HasField("maximum_weight") else None,
        by_symbol={bound.symbol: _pair(bound) for bound in given.bounds},
        groups=[Group(group.name, tuple(group.symbols), *_pair(group)) for group in given.groups],
        maximum_turnover=given.maximum_turnover if given.HasField("maximum_turnover") else None,
        cost=given.cost,
        maximum_holdings=given.maximum_holdings if given.HasField("maximum_holdings") else None,
        minimum_position=given.minimum_position if given.HasField("minimum_position") else None,
    )


def _pair(limits: pb.WeightBounds | pb.WeightGroup) -> tuple[float | None, float | None]:
    return (
        limits.minimum if limits.HasField("minimum") else None,
        limits.maximum if limits.HasField("maximum") else None,
    )


def _benchmarks(equal_weight: Allocation, current: Allocation | None, history: History) -> dict[str, pb.Allocation]:
    benchmarks = {"equal_weight": _allocation(equal_weight, history)}
    if current is not None:
        benchmarks["current"] = _allocation(current, history)
    return benchmarks


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
