"""Random numbers into paths, in place: `block[step, row, path]` holds normals before and logarithms of spots after.

The rows of the assets come first; where asked for, the row after them receives the variance of the logarithm over each
step, which continuous barriers and extremes need.
"""

import math
from typing import Any

from numba import njit, types

from quantmesh.quant._elementary import INVERSE_ROOT_TWO_PI, exponential, mills_ratio, square_root
from quantmesh.quant._elementary_kernels import INLINE
from quantmesh.quant.monte_carlo._tiles import OPTIONS


def _lognormal(block: Any, start: Any, drifts: Any, deviations: Any, factor: Any, with_variance: bool) -> None:
    """Assets with deterministic drift and deviation per `[step, asset]`; `factor` is lower triangular."""
    steps, assets, paths = drifts.shape[0], drifts.shape[1], block.shape[2]
    for step in range(steps):
        # From the last asset on, since each needs the normals of those before it.
        for asset in range(assets - 1, -1, -1):
            drift, scale = drifts[step, asset], deviations[step, asset] * factor[asset, asset]
            if step == 0:
                for j in range(paths):
                    block[0, asset, j] = start[asset] + (drift + scale * block[0, asset, j])
            else:
                for j in range(paths):
                    block[step, asset, j] = block[step - 1, asset, j] + (drift + scale * block[step, asset, j])
            for other in range(asset):
                weight = deviations[step, asset] * factor[asset, other]
                for j in range(paths):
                    block[step, asset, j] += weight * block[step, other, j]
        if with_variance:
            for j in range(paths):
                block[step, assets, j] = deviations[step, 0] * deviations[step, 0]


def _normal_probability(z: float) -> float:
    tail = INVERSE_ROOT_TWO_PI * exponential(-0.5 * z * z) * mills_ratio(abs(z))
    return tail if z < 0.0 else 1.0 - tail


def _heston(
    block: Any,
    start: float,
    v0: float,
    theta: float,
    sigma: float,
    rho: float,
    kappa: float,
    steps_in_years: Any,
    drifts: Any,
) -> None:
    """Andersen (2008), "Simple and efficient simulation of the Heston stochastic volatility model": QE-M.

    Row 0 drives the spot and row 1 the variance; row 1 receives the variance of each step. Equation numbers are his.
    """
    for j in range(block.shape[2]):
        x, v = start, v0
        for step in range(block.shape[0]):
            dt = steps_in_years[step]
            decay = math.exp(-kappa * dt)
            spent = (1.0 - decay) / kappa if kappa * dt > 1e-12 else dt
            mean = theta + (v - theta) * decay
            variance = sigma * sigma * spent * (v * decay + 0.5 * theta * kappa * spent)
            z = block[step, 1, j]
            # Equation 33, with both gammas one half; without volatility of variance nothing is correlated.
            ratio = rho / sigma if sigma > 0.0 else 0.0
            free = 1.0 - rho * rho if sigma > 0.0 else 1.0
            k1 = 0.5 * dt * (kappa * ratio - 0.5) - ratio
            k2 = 0.5 * dt * (kappa * ratio - 0.5) + ratio
            k3 = 0.5 * dt * free
            a_star = k2 + 0.5 * k3
            following = mean
            log_moment = a_star * mean
            if variance > 1e-14 * mean * mean:
                psi = variance / (mean * mean)
                if psi <= 1.5:
                    # Equations 27 and 28, and the martingale correction of proposition 7.
                    inverse = 2.0 / psi
                    b_squared = inverse - 1.0 + math.sqrt(inverse * (inverse - 1.0))
                    a = mean / (1.0 + b_squared)
                    root = math.sqrt(b_squared) + z
                    following = a * root * root
                    room = 1.0 - 2.0 * a_star * a
                    log_moment = a_star * b_squared * a / room - 0.5 * math.log(room) if room > 0.0 else math.nan
                else:
                    # Equations 29 and 30.
                    p = (psi - 1.0) / (psi + 1.0)
                    beta = (1.0 - p) / mean
                    u = normal_probability(z)
                    following = math.log((1.0 - p) / (1.0 - u)) / beta if u > p else 0.0
                    log_moment = math.log(p + beta * (1.0 - p) / (beta - a_star)) if a_star < beta else math.nan
            # Where the moment does not exist the drift stays uncorrected (his K0).
            k0 = -log_moment - (k1 + 0.5 * k3) * v if not math.isnan(log_moment) else -ratio * kappa * theta * dt
            x += drifts[step] + k0 + k1 * v + k2 * following + math.sqrt(k3 * (v + following)) * block[step, 0, j]
            block[step, 0, j] = x
            block[step, 1, j] = 0.5 * dt * (v + following)
            v = following


def _local_volatility(
    block: Any, start: float, nodes: Any, volatilities: Any, steps_in_years: Any, drifts: Any, with_variance: bool
) -> None:
    """Euler's scheme for the logarithm; `volatilities[step, node]` are linear in the logarithm between `nodes`."""
    last = nodes.size - 1
    for j in range(block.shape[2]):
        x = start
        for step in range(block.shape[0]):
            row = volatilities[step]
            if x <= nodes[0]:
                volatility = row[0]
            elif x >= nodes[last]:
                volatility = row[last]
            else:
                low, high = 0, last
                while high - low > 1:
                    middle = (low + high) // 2
                    if nodes[middle] <= x:
                        low = middle
                    else:
                        high = middle
                share = (x - nodes[low]) / (nodes[high] - nodes[low])
                volatility = row[low] + share * (row[high] - row[low])
            variance = volatility * volatility * steps_in_years[step]
            x += drifts[step] - 0.5 * variance + square_root(variance) * block[step, 0, j]
            block[step, 0, j] = x
            if with_variance:
                block[step, 1, j] = variance


normal_probability = njit(**INLINE)(_normal_probability)

_BLOCK = types.float64[:, :, ::1]
_VECTOR = types.float64[::1]
_MATRIX = types.float64[:, ::1]
_NUMBER = types.float64
lognormal = njit(types.void(_BLOCK, _VECTOR, _MATRIX, _MATRIX, _MATRIX, types.boolean), **OPTIONS)(_lognormal)
heston = njit(types.void(_BLOCK, *[_NUMBER] * 6, _VECTOR, _VECTOR), **OPTIONS)(_heston)
local_volatility = njit(types.void(_BLOCK, _NUMBER, _VECTOR, _MATRIX, _VECTOR, _VECTOR, types.boolean), **OPTIONS)(
    _local_volatility
)
