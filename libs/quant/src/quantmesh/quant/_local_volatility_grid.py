"""Grids of spots and times for `_local_volatility_formulas`, refined once and extrapolated.

Spots are `exp(x)` in units of the forward with `x = centre + width sinh(xi)` and `xi` uniform, finest at the payoff's
kink, which is a point. Times are uniform in the root of the distance from the kink, and meet every expiry of the
surface, where local variance jumps. The error falls with the square of both steps: what is left on the finer grid is a
third of its difference to the coarser.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from quantmesh.quant._arguments import Floats
from quantmesh.quant._svi_formulas import density_factor
from quantmesh.quant._svi_interpolation import interpolate
from quantmesh.quant.svi import Surface

_POINTS = 201
_STEPS = 100
_LEAST_STEPS = 10
_SMOOTHED_STEPS = 2
# The grid ends so many standard deviations of the smile there beyond its centre.
_REACH = 6.0
_WIDTH = 0.5
# Where a density all but vanishes its quotient may be anything.
_LARGEST_VARIANCE = 100.0


class Results(NamedTuple):
    """Values at the points of the grid for each of the times, in the order of the march."""

    x: Floats
    values: Floats


def local_variance(surface: Surface, k: Floats, time: Floats) -> Floats:
    """Dupire's in total variance (Gatheral, "The Volatility Surface", eq. 1.10); at time 0 the limit from above."""
    times = surface.time_to_expiry
    point = interpolate(times, surface.wings, k, np.maximum(time, 1e-9 * times[0]))
    g = density_factor(k, point.smile)
    variance: Floats = np.minimum(point.forward_variance / np.maximum(g, 1e-12), _LARGEST_VARIANCE)
    return variance


def march_forwards(surface: Surface, expiries: Floats) -> Results:
    """Undiscounted calls over strikes, both in units of the forward, at ascending positive expiries."""
    nearest = surface_deviation(surface, 0.0, float(min(expiries[0], surface.time_to_expiry[0])))

    def on_grid(refinement: int) -> Results:
        x = _spots(surface, 0.0, float(expiries[-1]), nearest, refinement)
        line = _times(np.union1d(expiries, surface.time_to_expiry), float(expiries[-1]), refinement)
        values = _march(surface, x, line, np.maximum(1.0 - np.exp(x), 0.0))
        return Results(x, values[np.searchsorted(line, expiries)])

    return _extrapolated(on_grid(1), on_grid(2))


def march_backwards(surface: Surface, sign: float, strike: float, expiry: float, rate: float) -> Results:
    """Values of one American option today, over spots in units of today's forward."""
    at_expiry = float(surface.forward_at(expiry))
    # So far from the spot a kink does not matter, and the grid stays where the spot is.
    farthest = _REACH * surface_deviation(surface, 0.0, expiry)
    centre = float(np.clip(np.log(strike / at_expiry), -farthest, farthest))
    deviation = surface_deviation(surface, centre, expiry)

    def on_grid(refinement: int) -> Results:
        x = _spots(surface, centre, expiry, deviation, refinement)
        left = _times(expiry - surface.time_to_expiry, expiry, refinement)
        payoff = np.maximum(sign * (at_expiry * np.exp(x) - strike), 0.0)
        values = _march(surface, x, left, payoff, expiry=expiry, exercise=(sign, strike, rate))
        return Results(x, values[-1:])

    return _extrapolated(on_grid(1), on_grid(2))


def surface_deviation(surface: Surface, k: float, time: float) -> float:
    point = interpolate(surface.time_to_expiry, surface.wings, np.array(k), np.array(time))
    return max(float(np.sqrt(point.smile.w)), 1e-4)


def _spots(surface: Surface, centre: float, expiry: float, deviation: float, refinement: int) -> Floats:
    ends = []
    for side in (-1.0, 1.0):
        end = centre
        for _ in range(4):
            end = side * (abs(centre) + _REACH * surface_deviation(surface, end, expiry))
        ends.append(np.arcsinh((end - centre) / (_WIDTH * deviation)))
    low, high = ends
    step = (high - low) / (_POINTS - 1)
    counted = np.arange(refinement * (_POINTS - 1) + 1) / refinement - round(-low / step)
    spots: Floats = centre + _WIDTH * deviation * np.sinh(counted * step)
    return spots


def _times(stations: Floats, end: float, refinement: int) -> Floats:
    """From 0 to `end` over the stations in between."""
    stops = np.unique(np.concatenate([[0.0], stations[(stations > 0.0) & (stations < end)], [end]]))
    parts = [np.zeros(1)]
    for start, stop in pairwise(stops):
        root, next_root = np.sqrt(start), np.sqrt(stop)
        count = max(_LEAST_STEPS, round(_STEPS * (next_root - root) / np.sqrt(end)))
        part = np.linspace(root, next_root, refinement * count + 1)[1:] ** 2
        part[-1] = stop
        parts.append(part)
    return np.concatenate(parts)


def _march(
    surface: Surface,
    x: Floats,
    line: Floats,
    start: Floats,
    *,
    expiry: float = 0.0,
    exercise: tuple[float, float, float] | None = None,
) -> Floats:
    """Values at all times of the line: expiries, or with `exercise` (sign, strike, rate) times left to `expiry`."""
    # Numba takes 0.7 s to import: on first use.
    from quantmesh.quant import _local_volatility_kernels as kernels

    middles = 0.5 * (line[1:] + line[:-1])
    sign, strike, rate = exercise or (1.0, 1.0, 0.0)
    if exercise:
        middles = expiry - middles
        forwards = np.asarray(surface.forward_at(expiry - line))
    else:
        forwards = np.ones(line.size)
    outputs = np.empty((line.size, x.size))
    outputs[0] = start
    kernels.march(
        np.exp(x),
        local_variance(surface, x[None, :], middles[:, None]),
        np.diff(line),
        _SMOOTHED_STEPS,
        rate,
        sign,
        strike,
        forwards,
        exercise is not None,
        np.zeros((3, x.size)),
        np.zeros((5, x.size)),
        outputs,
    )
    return outputs


def _extrapolated(coarse: Results, fine: Results) -> Results:
    values = fine.values[:, ::2]
    return Results(coarse.x, values + (values - coarse.values) / 3.0)
