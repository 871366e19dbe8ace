"""Heston's stochastic volatility, simulated by Andersen's quadratic-exponential scheme (2008)."""

import math
from dataclasses import dataclass, replace

import numpy as np

from quantmesh.quant._arguments import Domain, Floats, check_scalar
from quantmesh.quant.monte_carlo._curves import Schedule
from quantmesh.quant.monte_carlo._process import Evolve, OneAsset

_VARIANCE = Domain("v0", 0.0, 1e4, "a variance per year from 0 to 1e4")
_SPEED = Domain("kappa", 0.0, 1e4, "a number per year from 0 to 1e4")
_CORRELATION = Domain("rho", -1.0, 1.0, "a number from -1 to 1")


@dataclass(frozen=True, slots=True)
class Heston(OneAsset):
    """dv = kappa (theta - v) dt + sigma sqrt(v) dW, v at first `v0`, correlated with the spot by `rho`.

    With the martingale correction forwards are exact for any number of steps. Vega is by the square root of `v0`.
    """

    v0: float
    kappa: float
    theta: float
    sigma: float
    rho: float

    def __post_init__(self) -> None:
        # Classes with slots have no super() of their own.
        OneAsset.__post_init__(self)
        check_scalar(self.v0, _VARIANCE)
        check_scalar(self.kappa, _SPEED)
        check_scalar(self.theta, _VARIANCE._replace(name="theta"))
        check_scalar(self.sigma, _SPEED._replace(name="sigma"))
        check_scalar(self.rho, _CORRELATION)

    @property
    def factors(self) -> int:
        return 2

    def evolve(self, schedule: Schedule, with_variance: bool) -> Evolve:
        from quantmesh.quant.monte_carlo import _path_kernels as kernels

        # The scheme leaves the variance of every step behind in any case.
        del with_variance
        start, lengths = math.log(self.spot), schedule.lengths
        drifts = np.diff(self.carries(schedule)[:, 0], prepend=0.0)

        def evolve(block: Floats) -> None:
            kernels.heston(block, start, self.v0, self.theta, self.sigma, self.rho, self.kappa, lengths, drifts)

        return evolve

    def variance_states(self, block: Floats, schedule: Schedule) -> Floats:
        """`[step, path]`, from now on: a step's variance is the mean of those at its two ends, times its length."""
        states = np.empty((schedule.steps + 1, block.shape[2]))
        states[0] = self.v0
        for step, length in enumerate(schedule.lengths):
            ends = 2.0 / length * block[step, 1] if length > 0.0 else 2.0 * states[step]
            states[step + 1] = np.maximum(ends - states[step], 0.0)
        return states

    def volatility_ranges(self) -> tuple[tuple[float, float], ...]:
        volatility = math.sqrt(self.v0)
        return ((volatility, volatility),)

    def with_volatility_shifts(self, shifts: tuple[float, ...]) -> "Heston":
        return replace(self, v0=(math.sqrt(self.v0) + shifts[0]) ** 2)
