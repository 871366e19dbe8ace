"""Quotes to be fitted, and SSVI over all expiries: where raw SVI starts, and what it falls back to."""

from typing import NamedTuple

import numpy as np

from quantmesh.quant._arguments import Floats
from quantmesh.quant._svi_formulas import smile

_MOST_EVALUATIONS = 2_000
# Of the coordinates of rho, gamma and eta: at their ends rho is 1 but for 2e-4, and gamma and eta's share of its bound
# stay 1e-4 away from 0 and 1. A flatter smile would show in no quote, with its centre at infinity; with gamma 1 the
# wings of all slices would be parallel, and cross by rounding.
_FARTHEST = np.array([4.6, 9.2, 9.2])
# Of total variance from slice to slice, in parts of it: wings part by more than rounding.
_LEAST_GROWTH = 1e-8
# How far a step of total variance may lie from what is quoted, either way.
_REACH = 1e-8, 1e3


class Quotes(NamedTuple):
    """Columns with a row per quote; `expiry` counts the ascending `times`. Weights have a mean of 1."""

    times: Floats
    expiry: np.ndarray[tuple[int], np.dtype[np.int64]]
    k: Floats
    volatility: Floats
    weight: Floats

    def volatility_error(self, rows: Floats) -> Floats:
        """Model less quote."""
        w = smile(rows[self.expiry], self.k).w
        return np.sqrt(np.maximum(w, 0.0) / self.times[self.expiry]) - self.volatility


def ssvi_rows(thetas: Floats, rho: float, phis: Floats) -> Floats:
    """SSVI slices (Gatheral and Jacquier, 2014, eq. 4.1) as rows of raw SVI."""
    b = 0.5 * thetas * phis
    return np.stack(
        [
            0.5 * thetas * (1.0 - rho * rho),
            b * (1.0 - rho),
            b * (1.0 + rho),
            -rho / phis,
            np.sqrt(1.0 - rho * rho) / phis,
        ],
        -1,
    )


def largest_eta(thetas: Floats, rho: float, gamma: float) -> float:
    """The most that `phi = eta theta^-gamma` may have for no butterfly arbitrage at these ascending total variances.

    Theorem 4.2 of the same paper: `theta phi (1 + |rho|)` and `theta phi^2 (1 + |rho|)` are at most 4. Both are powers
    of theta, thus at their largest at one of the ends. Theorem 4.1 then holds for every gamma between 0 and 1.
    """
    ends = thetas[[0, -1]]
    bound = 4.0 / (1.0 + abs(rho))
    return float(min((bound * ends ** (gamma - 1.0)).min(), np.sqrt(bound * ends ** (2.0 * gamma - 1.0)).min()))


def fit_ssvi(quotes: Quotes) -> tuple[Floats, int]:
    """Slices free of arbitrage, whatever the quotes, and how many steps they took."""
    from scipy.optimize import least_squares

    count = quotes.times.size
    thetas = np.empty(count)
    for i in range(count):
        mine = quotes.expiry == i
        nearest = np.argmin(np.abs(quotes.k[mine]))
        thetas[i] = quotes.volatility[mine][nearest] ** 2 * quotes.times[i]
    thetas = np.maximum.accumulate(thetas * (1.0 + 1e-6 * np.arange(count)))
    steps = np.diff(thetas, prepend=0.0)
    start = np.concatenate([np.log(np.maximum(steps, 1e-4 * thetas)), [-0.3, 0.0, 0.0]])
    lower = np.concatenate([np.log(_REACH[0] * thetas), -_FARTHEST])
    upper = np.concatenate([np.full(count, np.log(_REACH[1] * thetas[-1])), _FARTHEST])
    growth = 1.0 + _LEAST_GROWTH * np.arange(count)
    roots = np.sqrt(quotes.weight)

    def rows_of(x: Floats) -> Floats:
        thetas, rho, gamma = np.cumsum(np.exp(x[:-3])) * growth, float(np.tanh(x[-3])), _logistic(x[-2])
        eta = largest_eta(thetas, rho, gamma) * _logistic(x[-1])
        return ssvi_rows(thetas, rho, eta * thetas**-gamma)

    def residuals(x: Floats) -> Floats:
        return roots * quotes.volatility_error(rows_of(x))

    found = least_squares(
        residuals,
        start,
        bounds=(lower, upper),
        x_scale="jac",
        max_nfev=_MOST_EVALUATIONS,
    )
    return rows_of(found.x), int(found.nfev)


def _logistic(x: float) -> float:
    return float(1.0 / (1.0 + np.exp(-x)))
