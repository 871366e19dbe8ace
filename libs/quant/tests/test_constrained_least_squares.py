"""Least squares under inequalities, on problems with a known answer."""

import numpy as np
import pytest
from numpy.typing import NDArray

from quantmesh.quant._constrained_least_squares import minimize

Floats = NDArray[np.float64]


class NearestInDisc:
    """The point of the unit disc nearest to a target."""

    def __init__(self, target: list[float], high: float = 10.0) -> None:
        self.target = np.array(target)
        self.scale, self.low, self.high = np.ones(2), np.full(2, -10.0), np.full(2, high)

    def residuals(self, x: Floats) -> Floats:
        away: Floats = x - self.target
        return away

    def residual_jacobian(self, x: Floats) -> Floats:
        return np.eye(2)

    def inequalities(self, x: Floats) -> Floats:
        return np.array([1.0 - x @ x])

    def inequality_jacobian(self, x: Floats) -> Floats:
        return -2.0 * x[None, :]


@pytest.mark.parametrize("start", [[0.0, 0.1], [5.0, -3.0], [-0.9, 0.0]])
def test_ends_on_the_curved_edge_next_to_the_target(start: list[float]) -> None:
    found = minimize(NearestInDisc([0.9, 1.2]), np.array(start), tolerance=1e-9)
    np.testing.assert_allclose(found.x, [0.6, 0.8], atol=1e-4)
    assert found.violation < 1e-6


def test_an_inequality_that_is_met_costs_nothing() -> None:
    found = minimize(NearestInDisc([0.3, -0.4]), np.array([0.9, 0.1]), tolerance=1e-12)
    np.testing.assert_allclose(found.x, [0.3, -0.4], atol=1e-6)


def test_bounds_hold_with_the_inequality() -> None:
    found = minimize(NearestInDisc([3.0, 4.0], high=0.5), np.zeros(2), tolerance=1e-9)
    np.testing.assert_allclose(found.x, [0.5, 0.5], atol=1e-6)
