"""Levenberg-Marquardt within bounds.

Each step solves the damped normal equations over the parameters that no bound holds back, in Marquardt's scale, and is
cut off at the bounds; the damping follows Nielsen (1999, "Damping parameter in Marquardt's method").
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant._arguments import Floats

# Residuals, and their derivatives: residuals by parameters.
Evaluate = Callable[[Floats], tuple[Floats, Floats]]

_FIRST_DAMPING = 1e-3
# With less, parameters that move all prices alike leave normal equations that are singular but for rounding.
_LEAST_DAMPING = 1e-12
# Relative changes below which there is nothing left to gain.
_LEAST_GAIN = 1e-10
_LEAST_STEP = 1e-9
# A root mean square below it is rounding.
_NO_RESIDUAL = 1e-13


@dataclass(frozen=True, slots=True)
class Fit:
    point: Floats
    residuals: Floats
    jacobian: Floats
    iterations: int
    converged: bool

    @property
    def cost(self) -> float:
        """Half the sum of squares."""
        return 0.5 * float(self.residuals @ self.residuals)


def least_squares(evaluate: Evaluate, start: Floats, lower: Floats, upper: Floats, iterations: int) -> Fit:
    """The least sum of squared residuals downhill from the start."""
    point = np.clip(start, lower, upper)
    residuals, jacobian = evaluate(point)
    cost = 0.5 * float(residuals @ residuals)
    damping, growth = _FIRST_DAMPING, 2.0
    for iteration in range(iterations):
        gradient = residuals @ jacobian
        free = ~(((point <= lower) & (gradient > 0.0)) | ((point >= upper) & (gradient < 0.0)))
        if cost <= 0.5 * _NO_RESIDUAL**2 * residuals.size or not free.any():
            return Fit(point, residuals, jacobian, iteration, converged=True)
        step = _step(jacobian, gradient, free, damping)
        trial = np.clip(point + step, lower, upper)
        step = trial - point
        if (np.abs(step) <= _LEAST_STEP * (np.abs(point) + _LEAST_STEP)).all():
            return Fit(point, residuals, jacobian, iteration, converged=True)
        trial_residuals, trial_jacobian = evaluate(trial)
        trial_cost = 0.5 * float(trial_residuals @ trial_residuals)
        change = jacobian @ step
        predicted = -float(gradient @ step) - 0.5 * float(change @ change)
        gain = cost - trial_cost
        if not gain > 0.0:
            if predicted <= _LEAST_GAIN * cost:
                return Fit(point, residuals, jacobian, iteration, converged=True)
            damping, growth = damping * growth, growth * 2.0
            continue
        small = gain <= _LEAST_GAIN * cost and predicted <= _LEAST_GAIN * cost
        point, residuals, jacobian, cost = trial, trial_residuals, trial_jacobian, trial_cost
        ratio = min(gain / predicted, 1.0) if predicted > 0.0 else 0.0
        damping = max(damping * max(1.0 / 3.0, 1.0 - (2.0 * ratio - 1.0) ** 3), _LEAST_DAMPING)
        growth = 2.0
        if small:
            return Fit(point, residuals, jacobian, iteration + 1, converged=True)
    return Fit(point, residuals, jacobian, iterations, converged=False)


def _step(jacobian: Floats, gradient: Floats, free: NDArray[np.bool_], damping: float) -> Floats:
    part = jacobian[:, free]
    scale = np.sqrt((part * part).sum(axis=0))
    scale[scale == 0.0] = 1.0
    scaled = part / scale
    normal = scaled.T @ scaled
    normal[np.diag_indices_from(normal)] += damping
    step = np.zeros(gradient.size)
    step[free] = -np.linalg.solve(normal, gradient[free] / scale) / scale
    return step
