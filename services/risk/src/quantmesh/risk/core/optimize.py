"""Weights for an objective, beside equal weights and what is held now (RSK-7)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Literal

import numpy as np

from quantmesh.quant import covariance, optimize
from quantmesh.quant.errors import DomainError, InfeasibleError
from quantmesh.risk.core.errors import InfeasibleConstraints, OutOfDomain, UnknownChoice, UnsupportedConstraint
from quantmesh.risk.core.model import TRADING_DAYS, Book, Floats, History

Objective = Literal["minimum_variance", "maximum_sharpe", "risk_parity"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """On every weight, and on single ones, which then count."""

    minimum: float | None = None
    maximum: float | None = None
    by_symbol: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return self.minimum is None and self.maximum is None and not self.by_symbol

    def arrays(self, symbols: Sequence[str]) -> tuple[Floats, Floats]:
        """Long only up to the whole where nothing else is said. Raises UnknownChoice for a symbol outside."""
        for symbol in self.by_symbol:
            if symbol not in symbols:
                raise UnknownChoice("constraints.bounds", f"names {symbol}, which is not among {', '.join(symbols)}")
        lower = np.full(len(symbols), 0.0 if self.minimum is None else self.minimum)
        upper = np.full(len(symbols), 1.0 if self.maximum is None else self.maximum)
        for symbol, (minimum, maximum) in self.by_symbol.items():
            index = symbols.index(symbol)
            lower[index] = lower[index] if minimum is None else minimum
            upper[index] = upper[index] if maximum is None else maximum
        return lower, upper


@dataclass(frozen=True, slots=True)
class Allocation:
    """Weights with their statistics per year, from the same observations for every allocation."""

    weights: Floats
    expected_return: float
    volatility: float
    sharpe: float


@dataclass(frozen=True, slots=True)
class Optimum:
    optimal: Allocation
    equal_weight: Allocation
    current: Allocation | None
    solver: str


@dataclass(frozen=True, slots=True)
class ProposedOrder:
    """`quantity` is in whole lots, positive to buy and negative to sell."""

    symbol: str
    quantity: Decimal
    price: Decimal


def optimum_of(
    history: History,
    objective: Objective,
    bounds: Bounds,
    risk_free_rate: float,
    observations: int,
    held: Floats | None,
) -> Optimum:
    """`risk_free_rate` is per year; `held` are market values now, or None without a portfolio."""
    returns = history.require(observations).returns[-observations:]
    mean, matrix = returns.mean(axis=0), covariance.sample(returns)
    symbols = history.symbols
    try:
        solution = _solve(objective, mean, matrix, bounds, risk_free_rate / TRADING_DAYS, symbols)
    except InfeasibleError as error:
        raise InfeasibleConstraints(str(error), error.shortfall, error.relaxation) from error
    except DomainError as error:
        value = risk_free_rate if error.argument == "risk_free_rate" else error.value
        raise OutOfDomain(error.argument, value, error.requirement) from error

    def allocation(weights: Floats) -> Allocation:
        expected = float(weights @ mean) * TRADING_DAYS
        volatility = math.sqrt(max(float(weights @ matrix @ weights), 0.0) * TRADING_DAYS)
        sharpe = (expected - risk_free_rate) / volatility if volatility > 0.0 else math.nan
        return Allocation(weights, expected, volatility, sharpe)

    total = float(held.sum()) if held is not None else 0.0
    return Optimum(
        optimal=allocation(solution.weights),
        equal_weight=allocation(solution.equal_weight.weights),
        current=allocation(held / total) if held is not None and total > 0.0 else None,
        solver=solution.solver,
    )


def orders_to(optimum: Optimum, history: History, book: Book, lot_sizes: Sequence[Decimal]) -> list[ProposedOrder]:
    """What turns the holdings of these symbols into the weights; where none is held, the cash is spent.

    Rounded towards no trade, to whole lots: together the orders never cost more than they may.
    """
    closes = [Decimal(repr(float(close))) for close in history.last]
    held = [book.quantities.get(symbol, Decimal(0)) for symbol in history.symbols]
    worth = sum((quantity * close for quantity, close in zip(held, closes, strict=True)), Decimal(0)) or book.cash
    orders = []
    rows = zip(history.symbols, optimum.optimal.weights, held, closes, lot_sizes, strict=True)
    for symbol, weight, quantity, close, lot in rows:
        difference = worth * Decimal(repr(float(weight))) / close - quantity
        lots = (difference / lot).quantize(Decimal(1), rounding=ROUND_DOWN)
        if lots:
            orders.append(ProposedOrder(symbol, lots * lot, close))
    return orders


def _solve(
    objective: Objective, mean: Floats, matrix: Floats, bounds: Bounds, risk_free: float, symbols: Sequence[str]
) -> optimize.Optimum:
    if objective == "risk_parity":
        if not bounds.is_empty:
            raise UnsupportedConstraint(objective)
        return optimize.risk_parity(matrix)
    lower, upper = bounds.arrays(symbols)
    constraints = optimize.Constraints(minimum=lower, maximum=upper, names=symbols)
    if objective == "minimum_variance":
        return optimize.minimum_variance(matrix, constraints)
    return optimize.maximum_sharpe(mean, matrix, constraints, risk_free_rate=risk_free)
