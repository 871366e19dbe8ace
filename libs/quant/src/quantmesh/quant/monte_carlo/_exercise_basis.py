"""The functions of a path's state that approximate the value of an American option and its moves."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from quantmesh.quant._arguments import Floats
from quantmesh.quant._elementary import INVERSE_ROOT_TWO_PI
from quantmesh.quant.monte_carlo._curves import Schedule
from quantmesh.quant.monte_carlo._heston import Heston
from quantmesh.quant.monte_carlo._process import Process

_LEAST_VARIANCE = 1e-12
# States farther out than the fit has seen count as its edge.
_FARTHEST = 4.0


def combination(weights: Floats, rows: Floats) -> Floats:
    """Summed in order: a product of matrices could depend on the number of threads in its last bits."""
    total: Floats = weights[0] * rows[0]
    for weight, row in zip(weights[1:], rows[1:], strict=True):
        total += weight * row
    return total


class Paths:
    """States at steps 0 (now) to the last, and the normals that lead from each to the next.

    `variances[step, path]` are per year, for processes whose variance is random.
    """

    def __init__(self, block: Floats, factors: int, start: float, variances: Floats | None) -> None:
        self._block, self._factors, self._start = block, factors, start
        self.variances, self.count = variances, block.shape[2]

    def logarithms(self, step: int) -> Floats:
        return np.full(self.count, self._start) if step == 0 else self._block[step - 1, 0]

    def normals(self, step: int) -> Floats:
        """`[factor, path]`."""
        return self._block[step, self._block.shape[1] - self._factors :]


def paths_of(block: Floats, process: Process, schedule: Schedule) -> Paths:
    variances = process.variance_states(block, schedule) if isinstance(process, Heston) else None
    return Paths(block, process.factors, float(np.log(process.asset_spots[0])), variances)


class Features(NamedTuple):
    """`values[feature, path]` for the value itself, `slopes` for how it moves with the logarithm.

    `scale` is how far the logarithm moves with the normals, where that is random itself.
    """

    values: Floats
    slopes: Floats
    scale: Floats | None

    def moves(self, normals: Floats) -> Floats:
        """Terms of expectation zero given the state: the slopes times Hermite polynomials of the step's normals."""
        z = normals[0]
        square = z * z
        second, third = (square - 1.0) * 0.5**0.5, z * (square - 3.0) * 6.0**-0.5
        fourth = (square * (square - 6.0) + 3.0) * 24.0**-0.5
        if self.scale is None:
            return np.concatenate([self.slopes * polynomial for polynomial in (z, second, third, fourth)])
        w, s = normals[1], self.scale
        polynomials = (s * z, s * s * second, s**3 * third, s * w, s * s * (w * w - 1.0) * 0.5**0.5, s * s * z * w)
        return np.concatenate([self.slopes * polynomial for polynomial in polynomials])


@dataclass(frozen=True, slots=True)
class Basis:
    """Powers of the standardised logarithm, and a European option under a lognormal law fitted to the paths.

    `growth` is of the logarithm from this step to expiry, `variance` its variance, which changes with a random
    variance by `variance_slope` from where that is at its `variance_centre`.
    """

    sign: int
    strike: float
    discount: float
    centre: float
    width: float
    growth: float
    variance: float
    variance_slope: float
    variance_centre: float

    def features(self, paths: Paths, step: int) -> Features:
        # scipy takes a while to import: on first use.
        from scipy.special import ndtr

        u = np.clip((paths.logarithms(step) - self.centre) / self.width, -_FARTHEST, _FARTHEST)
        x = self.centre + self.width * u
        states = None if paths.variances is None else paths.variances[step]
        left = (
            self.variance if states is None else self.variance + self.variance_slope * (states - self.variance_centre)
        )
        deviation = np.sqrt(np.maximum(left, _LEAST_VARIANCE))
        forward = np.exp(x + self.growth)
        d1 = (x + self.growth - np.log(max(self.strike, 1e-300))) / deviation + 0.5 * deviation
        above = self.discount * forward * ndtr(self.sign * d1)
        european = self.sign * (above - self.discount * self.strike * ndtr(self.sign * (d1 - deviation)))
        gamma = self.discount * forward * INVERSE_ROOT_TWO_PI * np.exp(-0.5 * d1 * d1)
        one = np.ones_like(u)
        values, slopes = [one, u, u * u, u**3, u**4, european], [one, u, u * u, u**3, above, gamma, gamma * d1]
        if states is None:
            return Features(np.stack(values), np.stack(slopes), None)
        v = states / max(self.variance_centre, _LEAST_VARIANCE) - 1.0
        values += [v, v * v, u * v, u * u * v, v * gamma]
        return Features(np.stack(values), np.stack(slopes), np.sqrt(v + 1.0))
