"""How far a surface of raw SVI slices is from static arbitrage, and where.

Between expiries total variance is linear in time at each log-moneyness; before the first it falls to 0 in proportion to
time, which keeps it free of arbitrage where the first slice is: with `w` scaled down, Durrleman's g is concave in the
scale and a square where the scale is 0.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from quantmesh.quant._arguments import Floats
from quantmesh.quant._svi_formulas import Smile, density_factor, smile

# Where between two expiries the smile is tested for butterflies.
_BETWEEN = (0.25, 0.5, 0.75)
_FARTHEST = 10.0
_NODES = 401
_VALLEYS = 3
_ZOOMS = 3
# By which wings that are parallel may differ in their slopes.
_ROUNDING = 16.0 * np.finfo(np.float64).eps


class Margin(NamedTuple):
    """The least of a quantity that arbitrage would make negative, and the point where that is."""

    value: float
    log_moneyness: float
    time_to_expiry: float


def log_moneyness_grid(rows: Floats, count: int) -> Floats:
    """`count` points for each smile, dense at its bend and out to where there is nothing left but straight wings.

    They enclose the forward and its surroundings, however far away the bend is.
    """
    grids = []
    for m, sigma in rows[:, 3:]:
        scale = 0.3 * max(sigma, 1e-3)
        reach = np.arcsinh((_FARTHEST + abs(m)) / scale)
        grids.append(m + scale * np.sinh(np.linspace(-reach, reach, count)))
    return np.sort(np.concatenate(grids))


def blended(first: Floats, second: Floats, fraction: float, k: Floats) -> Smile:
    """Between two slices: every part is linear in time."""
    return Smile(*((1.0 - fraction) * f + fraction * s for f, s in zip(smile(first, k), smile(second, k), strict=True)))


def butterfly_margin(times: Floats, rows: Floats) -> Margin:
    """The least of Durrleman's g, and of its limit `(4 - slope^2) / 16` in the wings, at an infinite log-moneyness."""
    worst = Margin(np.inf, 0.0, float(times[0]))
    for i in range(times.size):
        follower = min(i + 1, times.size - 1)
        first, second = rows[i], rows[follower]
        grid = log_moneyness_grid(rows[i : i + 2], _NODES)
        for fraction in (0.0, *_BETWEEN) if follower > i else (0.0,):
            time = float((1.0 - fraction) * times[i] + fraction * times[follower])

            def g(k: Floats, first: Floats = first, second: Floats = second, fraction: float = fraction) -> Floats:
                part = blended(first, second, fraction, k)
                # Without a positive variance there is no density at all.
                with np.errstate(over="ignore"):
                    factor = density_factor(k, part._replace(w=np.maximum(part.w, 1e-300)))
                return np.where(part.w > 0.0, factor, -np.inf)

            value, k = least(g, grid)
            left, right = (1.0 - fraction) * first[1:3] + fraction * second[1:3]
            for limit, end in (((4.0 - left * left) / 16.0, -np.inf), ((4.0 - right * right) / 16.0, np.inf)):
                if limit < value:
                    value, k = float(limit), end
            if value < worst.value:
                worst = Margin(value, k, time)
    return worst


def calendar_margin(times: Floats, rows: Floats) -> Margin:
    """The least forward variance per year at constant log-moneyness; where it is between two expiries, the earlier."""
    flat = np.zeros(5)
    flat[4] = 1.0
    worst = Margin(np.inf, 0.0, 0.0)
    for i in range(times.size):
        first, start = (rows[i - 1], float(times[i - 1])) if i else (flat, 0.0)
        second, years = rows[i], float(times[i]) - start

        def forward_variance(k: Floats, first: Floats = first, second: Floats = second, years: float = years) -> Floats:
            return (smile(second, k).w - smile(first, k).w) / years

        value, k = least(forward_variance, log_moneyness_grid(rows[max(i - 1, 0) : i + 1], _NODES))
        for side, end in ((1, -np.inf), (2, np.inf)):
            if second[side] < first[side] * (1.0 - _ROUNDING):
                value, k = -np.inf, end
        if value < worst.value:
            worst = Margin(value, k, start)
    return worst


def least(function: Callable[[Floats], Floats], grid: Floats) -> tuple[float, float]:
    """The least value on the grid, refined around the lowest of its valleys, and where it is."""
    values = function(grid)
    padded = np.concatenate([[np.inf], values, [np.inf]])
    valleys = np.flatnonzero((values <= padded[:-2]) & (values <= padded[2:]))
    found = []
    for valley in valleys[np.argsort(values[valleys])][:_VALLEYS]:
        at, nodes = int(valley), grid
        for _ in range(_ZOOMS):
            nodes = np.linspace(nodes[max(at - 1, 0)], nodes[min(at + 1, nodes.size - 1)], 41)
            at = int(np.argmin(function(nodes)))
        found.append((float(function(nodes[at : at + 1])[0]), float(nodes[at])))
    return min(found)
