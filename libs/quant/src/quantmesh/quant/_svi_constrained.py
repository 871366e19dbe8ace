"""Raw SVI over all expiries at once, under the inequalities that leave no arbitrage.

They hold at the points of a grid, with a small reserve. Where a much finer search still finds a negative margin, the
grid follows the smiles to where they are now and becomes twice as dense, as the reserve becomes twice as large.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant._arguments import Floats
from quantmesh.quant._constrained_least_squares import minimize
from quantmesh.quant._ssvi import Quotes
from quantmesh.quant._svi_formulas import (
    PARAMETERS,
    Smile,
    density_factor,
    density_factor_gradient,
    smile,
    smile_gradients,
)
from quantmesh.quant._svi_margins import butterfly_margin, calendar_margin, log_moneyness_grid

# Points of the grid for each smile.
_DENSITIES = (31, 61, 121, 241)
# Errors of volatilities count in basis points.
_BASIS_POINT = 1e-4
# What inequalities keep in hand: of g, and of total variance and its growth in parts of what they are of the order of.
_BUTTERFLY_RESERVE = 1e-3
_CALENDAR_RESERVE = 1e-4
_VARIANCE_RESERVE = 1e-2
# Sigma in deviations of the underlying: a sharper bend would be an atom in its distribution, which local volatility
# could not follow, and of a smoother one no quote shows more than a parabola.
_SHARPEST = 0.1
_SMOOTHEST = 10.0
_LEAST_VARIANCE = 1e-12
# Where a row of parameters has the wings' slopes.
_SLOPES = (1, 2)


def fit_without_arbitrage(quotes: Quotes, start: Floats) -> tuple[Floats, int]:
    """Rows of wings, and how many steps they took; the margins tell whether the inequalities could all be met."""
    count = quotes.times.size
    rows, steps = start, 0
    for density in _DENSITIES:
        found = minimize(SurfaceProblem.of(quotes, rows, density), rows.reshape(-1))
        rows = found.x.reshape(count, PARAMETERS)
        steps += found.iterations
        butterfly, calendar = butterfly_margin(quotes.times, rows), calendar_margin(quotes.times, rows)
        if butterfly.value >= 0.0 and calendar.value >= 0.0:
            break
    return rows, steps


@dataclass(frozen=True, slots=True)
class SurfaceProblem:
    """The variables are the rows of wings in one vector.

    g is held above 0 at `k`, on the blend of two slices that has this fraction of the second; total variance must grow
    from one slice to the next at `calendar_k`.
    """

    quotes: Quotes
    reserve: float
    level: Floats
    scale: Floats
    low: Floats
    high: Floats
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    fraction: Floats
    k: Floats
    earlier: NDArray[np.int64]
    calendar_k: Floats

    @classmethod
    def of(cls, quotes: Quotes, rows: Floats, density: int) -> "SurfaceProblem":
        count = quotes.times.size
        # The least total variance that is quoted for each expiry.
        level = np.array(
            [quotes.times[i] * float(quotes.volatility[quotes.expiry == i].min()) ** 2 for i in range(count)]
        )
        roots, infinite, two = np.sqrt(level), np.full(count, np.inf), np.full(count, 2.0)
        points: list[tuple[int, int, float, Floats]] = []
        growth: list[tuple[int, Floats]] = []
        for i in range(count):
            follower = min(i + 1, count - 1)
            grid = log_moneyness_grid(rows[i : i + 2], density)
            points += [(i, follower, part, grid) for part in ((0.0, 0.5) if follower > i else (0.0,))]
            if follower > i:
                growth.append((i, grid))
        return cls(
            quotes=quotes,
            reserve=density / _DENSITIES[0],
            level=level,
            scale=np.stack([level, roots, roots, roots, roots], -1).reshape(-1),
            low=np.stack([-infinite, 0.0 * roots, 0.0 * roots, -infinite, _SHARPEST * roots], -1).reshape(-1),
            high=np.stack([infinite, two, two, infinite, _SMOOTHEST * roots], -1).reshape(-1),
            first=np.concatenate([np.full(grid.size, i) for i, _, _, grid in points]),
            second=np.concatenate([np.full(grid.size, j) for _, j, _, grid in points]),
            fraction=np.concatenate([np.full(grid.size, part) for _, _, part, grid in points]),
            k=np.concatenate([grid for _, _, _, grid in points]),
            earlier=np.concatenate([np.full(grid.size, i) for i, grid in growth] or [np.empty(0, np.int64)]),
            calendar_k=np.concatenate([grid for _, grid in growth] or [np.empty(0)]),
        )

    def residuals(self, x: Floats) -> Floats:
        error = self.quotes.volatility_error(x.reshape(-1, PARAMETERS))
        return np.sqrt(self.quotes.weight / error.size) * error / _BASIS_POINT

    def residual_jacobian(self, x: Floats) -> Floats:
        rows = x.reshape(-1, PARAMETERS)
        quotes, mine = self.quotes, rows[self.quotes.expiry]
        w = np.maximum(smile(mine, quotes.k).w, _LEAST_VARIANCE)
        by_w = 0.5 * np.sqrt(quotes.weight / quotes.k.size / (w * quotes.times[quotes.expiry])) / _BASIS_POINT
        answer = np.zeros((quotes.k.size, *rows.shape))
        answer[np.arange(quotes.k.size), quotes.expiry] = by_w[:, None] * smile_gradients(mine, quotes.k).w
        return answer.reshape(-1, x.size)

    def inequalities(self, x: Floats) -> Floats:
        rows = x.reshape(-1, PARAMETERS)
        part = self._blend(rows)
        g = density_factor(self.k, part._replace(w=np.maximum(part.w, _LEAST_VARIANCE)))
        growth = smile(rows[self.earlier + 1], self.calendar_k).w - smile(rows[self.earlier], self.calendar_k).w
        # Far out a later wing must not be the flatter one.
        steepening = np.diff(rows[:, _SLOPES], axis=0) / self._slope_scale()
        return np.concatenate(
            [
                g - self.reserve * _BUTTERFLY_RESERVE,
                part.w / self.level[self.first] - _VARIANCE_RESERVE,
                growth / self._growth_scale() - self.reserve * _CALENDAR_RESERVE,
                steepening.reshape(-1) - self.reserve * _CALENDAR_RESERVE,
            ]
        )

    def inequality_jacobian(self, x: Floats) -> Floats:
        rows = x.reshape(-1, PARAMETERS)
        points, at = self.k.size, np.arange(self.k.size)
        answer = np.zeros((2 * points + self.earlier.size + 2 * (len(rows) - 1), *rows.shape))
        part = self._blend(rows)
        by_part = density_factor_gradient(self.k, part._replace(w=np.maximum(part.w, _LEAST_VARIANCE)))
        for owner, share in ((self.first, 1.0 - self.fraction), (self.second, self.fraction)):
            gradients = smile_gradients(rows[owner], self.k)
            for by, gradient in zip(by_part, gradients, strict=True):
                answer[at, owner] += (share * by)[:, None] * gradient
            answer[points + at, owner] += (share / self.level[self.first])[:, None] * gradients.w
        at = 2 * points + np.arange(self.earlier.size)
        scale = self._growth_scale()[:, None]
        answer[at, self.earlier + 1] = smile_gradients(rows[self.earlier + 1], self.calendar_k).w / scale
        answer[at, self.earlier] = -smile_gradients(rows[self.earlier], self.calendar_k).w / scale
        wings = answer[2 * points + self.earlier.size :].reshape(len(rows) - 1, 2, *rows.shape)
        for i, scale in enumerate(self._slope_scale()[:, 0]):
            for side, parameter in enumerate(_SLOPES):
                wings[i, side, i + 1, parameter] = 1.0 / scale
                wings[i, side, i, parameter] = -1.0 / scale
        return answer.reshape(-1, x.size)

    def _slope_scale(self) -> Floats:
        """A column with a row per interval between expiries."""
        return np.sqrt(self.level[:-1, None])

    def _blend(self, rows: Floats) -> Smile:
        parts = zip(smile(rows[self.first], self.k), smile(rows[self.second], self.k), strict=True)
        return Smile(*((1.0 - self.fraction) * first + self.fraction * second for first, second in parts))

    def _growth_scale(self) -> Floats:
        level = self.level[self.earlier]
        scale: Floats = level + np.sqrt(level) * np.abs(self.calendar_k)
        return scale
