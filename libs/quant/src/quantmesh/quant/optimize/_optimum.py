"""What every optimisation answers: the best weights beside equal weights and what is held now."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant._samples import Floats, covariance_of, vector_of
from quantmesh.quant.errors import DomainError
from quantmesh.quant.optimize._constraints import Limits

_VANISHING = 1e-9
_ROUNDING = 1e-12
# Eigenvalues down to minus this are rounding, relative to the largest variance.
_DEFINITE = 1e-10


class Certificate(NamedTuple):
    """What is known of an answer: no weights within the constraints have an objective beyond `bound`."""

    solver: str
    iterations: int
    bound: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """Weights and what they give per period of the inputs, before costs; None where an input for it is missing.

    `sharpe` is the excess of the expected return over the risk-free rate by the volatility. `objective` is what was
    optimised, costs included; `is_feasible` says whether the weights satisfy the constraints.
    """

    weights: Floats
    objective: float
    expected_return: float | None
    volatility: float | None
    sharpe: float | None
    cost: float
    is_feasible: bool


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """`no_change` are the current weights, where given.

    `bound` is a proven limit of the objective within the constraints and `gap` the distance from it, relative to the
    larger of the two, or to a billionth of equal weights' objective where both vanish. They are None where nothing is
    proven: the method has no objective, or the covariance is too close to singular.
    """

    optimal: Allocation
    equal_weight: Allocation
    no_change: Allocation | None
    solver: str
    iterations: int
    bound: float | None
    gap: float | None

    @property
    def weights(self) -> Floats:
        return self.optimal.weights


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Expected returns and covariance of one period, the same for both, and the risk-free rate of that period."""

    covariance: Floats
    expected_return: Floats | None
    risk_free_rate: float

    @classmethod
    def of(cls, covariance: ArrayLike, expected_return: ArrayLike | None, risk_free_rate: float) -> "Moments":
        """Raises DomainError for what is no covariance; its definiteness matters to some objectives alone."""
        matrix = covariance_of(covariance)
        count = len(matrix)
        mean = None if expected_return is None else vector_of("expected_return", expected_return, count)
        return cls(matrix, mean, risk_free_rate)

    def __post_init__(self) -> None:
        if not math.isfinite(self.risk_free_rate):
            raise DomainError("risk_free_rate", self.risk_free_rate, "finite")

    def require_convex(self) -> None:
        """Raises DomainError where some weights have a negative variance, and none would have the least."""
        from quantmesh.quant.optimize._matrix_kernels import is_positive  # Numba loads on first use

        shifted = self.covariance.copy()
        shifted.flat[:: self.count + 1] += _DEFINITE * float(np.diagonal(shifted).max())
        if not is_positive(shifted):
            raise DomainError("covariance", "a matrix with a negative eigenvalue", "positive semidefinite")

    @property
    def mean(self) -> Floats:
        """The expected returns, for objectives that require them."""
        return np.zeros(self.count) if self.expected_return is None else self.expected_return

    @property
    def count(self) -> int:
        return len(self.covariance)

    def variance(self, weights: Floats) -> float:
        from quantmesh.quant.optimize._matrix_kernels import variance_of  # as above

        return max(variance_of(self.covariance, weights), 0.0)

    def statistics(self, weights: Floats) -> tuple[float | None, float, float | None]:
        """Expected return, volatility, and Sharpe ratio."""
        volatility = self.variance(weights) ** 0.5
        if self.expected_return is None:
            return None, volatility, None
        expected = float(weights @ self.expected_return)
        excess = expected - self.risk_free_rate * float(weights.sum())
        return expected, volatility, excess / volatility if volatility > 0.0 else None


def allocator(limits: Limits, moments: Moments, objective: Callable[[Floats], float]) -> Callable[[Floats], Allocation]:
    def allocation(weights: Floats) -> Allocation:
        cost, feasible = limits.cost_of(weights), limits.are_met_by(weights)
        return Allocation(weights, objective(weights), *moments.statistics(weights), cost, feasible)

    return allocation


def optimum_of(
    weights: Floats,
    limits: Limits,
    moments: Moments,
    objective: Callable[[Floats], float],
    certificate: Certificate,
) -> Optimum:
    """The optimum with its companions, all on the same objective."""
    allocation = allocator(limits, moments, objective)
    optimal, bound = allocation(weights), certificate.bound
    equal_weight = allocation(limits.equal_weights)
    return Optimum(
        optimal=optimal,
        equal_weight=equal_weight,
        no_change=None if limits.current is None else allocation(limits.current),
        solver=certificate.solver,
        iterations=certificate.iterations,
        bound=bound,
        gap=None if bound is None else relative_gap(optimal.objective, bound, equal_weight.objective),
    )


def relative_gap(value: float, bound: float, typical: float) -> float:
    return abs(value - bound) / max(abs(value), abs(bound), _VANISHING * abs(typical), _ROUNDING)
