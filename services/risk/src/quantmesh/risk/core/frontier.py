"""The least variance for each expected return (RSK-7)."""

from dataclasses import dataclass

from quantmesh.quant import optimize
from quantmesh.risk.core.model import TRADING_DAYS, History
from quantmesh.risk.core.optimize import Allocation, Sample, Wanted, quant_errors


@dataclass(frozen=True, slots=True)
class Frontier:
    points: list[Allocation]
    equal_weight: Allocation
    current: Allocation | None


def frontier_of(history: History, wanted: Wanted, points: int) -> Frontier:
    """From the least variance to the highest expected return, evenly spaced. Raises as `optimum_of`."""
    with quant_errors(history.symbols, wanted):
        sample = Sample.of(history, wanted)
        limits = wanted.constraints.over(history.symbols, sample.current)
        found = optimize.frontier(
            sample.mean,
            sample.covariance,
            limits,
            points=points,
            risk_free_rate=wanted.risk_free_rate / TRADING_DAYS,
        )
    return Frontier(
        points=[sample.allocation(point.weights) for point in found.points],
        equal_weight=sample.allocation(found.equal_weight.weights),
        current=None if sample.current is None else sample.allocation(sample.current),
    )
