"""Optimised weights and the frontier."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from quantmesh.client.models.base import Answer


class Allocation(Answer):
    """Statistics per year."""

    weights: Mapping[str, float]
    expected_return: float
    volatility: float
    sharpe: float | None


class ProposedOrder(Answer):
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal | None


class Optimization(Allocation):
    objective: str
    benchmarks: Mapping[str, Allocation]
    observations: int
    as_of: datetime | None
    solver: str
    orders: tuple[ProposedOrder, ...]
    objective_value: float
    bound: float | None
    gap: float | None
    iterations: int


class Frontier(Answer):
    """From the least variance to the highest expected return, evenly spaced in return."""

    points: tuple[Allocation, ...]
    benchmarks: Mapping[str, Allocation]
    observations: int
    as_of: datetime | None
