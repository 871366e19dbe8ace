"""The two boundaries between which a put with dividend_yield < rate < 0 is exercised, for columns of contracts.

Andersen and Lake, "Fast American Option Pricing: The Double-Boundary Case" (2021). Until the boundaries meet, each is
that of its own free boundary problem and needs nothing of the other: above the upper one lies an American put, below
the lower one the right to sell at the strike, exercised at or above it. Each is found from the slope at it, collocated
as the single boundary of `_american_formulas` is, but by Newton's method, which needs no contraction.

For a strike of 1 the upper boundary is exp(-g), with the square of g interpolated, the lower one rate / dividend_yield
* exp(g), with g itself interpolated: it leaves its start as a power series in the root of time. They meet where both
gaps add up to `width`, the log of dividend_yield / rate.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant._american_schemes import Accuracy, collocation_points, interpolation_weights
from quantmesh.quant._american_two_boundary_equations import (
    LOWER_PACE,
    Puts,
    Rule,
    Sizes,
    first_upper,
    lower_system,
    rule_of,
    upper_pace,
    upper_system,
)
from quantmesh.quant._arguments import Floats

# Of a gap, the last step: Newton's method squares it.
_CONVERGED = 1e-9
_NEARLY_CONVERGED = 1e-5
_MOST_STEPS = 25
_LARGEST_CHANGE = 3.0  # of a gap, by one step
_MOST_SPANS = 40
_SPAN_TOLERANCE = 1e-4
_STEP = 1e-3  # of a span, for a power of time
_LEAST_POWER = 0.05


class Boundaries(NamedTuple):
    """Gaps (rows, collocation points) over the first `span` years before expiry."""

    span: Floats
    upper: Floats
    lower: Floats
    converged: NDArray[np.bool_]
    scaled: bool

    def taken(self, rows: NDArray[np.bool_]) -> "Boundaries":
        return Boundaries(self.span[rows], self.upper[rows], self.lower[rows], self.converged[rows], self.scaled)

    def at(self, puts: Puts, times: Floats) -> tuple[Floats, Floats]:
        """Gaps at (rows, points) times to expiry."""
        count = self.upper.shape[1]
        fractions = np.sqrt(times / self.span[:, None])
        weights = interpolation_weights(count, fractions)
        if self.scaled:
            ratios = (self.upper / first_upper(puts, self.span, collocation_points(count)[None])) ** 2
            squares = 1.0 + np.einsum("rkj,rj->rk", weights, ratios - 1.0)
            squares *= first_upper(puts, self.span, fractions) ** 2
        else:
            squares = np.einsum("rkj,rj->rk", weights, self.upper**2)
        return np.sqrt(np.maximum(squares, 0.0)), np.einsum("rkj,rj->rk", weights, self.lower)


_System = Callable[[Puts, Floats, Rule, Floats], tuple[Floats, Floats]]
SIZES: dict[Accuracy, Sizes] = {
    "fast": Sizes(8, 10, 24, 1e-5),
    "accurate": Sizes(16, 20, 48, 1e-6),
    "high_precision": Sizes(64, 64, 128, 1e-7),
}
COARSE = Sizes(8, 10, 0, math.inf)


def _newton(
    system: _System, puts: Puts, span: Floats, rule: Rule, gap: Floats, tolerance: float = _CONVERGED
) -> tuple[Floats, NDArray[np.bool_]]:
    gap = gap.copy()
    waiting = np.arange(span.size)
    converged = np.zeros(span.size, np.bool_)
    for _ in range(_MOST_STEPS):
        now = gap[waiting]
        residual, jacobian = system(puts.taken(waiting), span[waiting], rule, now)
        sound = np.isfinite(residual).all(axis=1) & np.isfinite(jacobian).all(axis=(1, 2))
        sound &= np.linalg.slogdet(jacobian)[0] != 0.0  # a singular one would raise for all rows
        waiting, now = waiting[sound], now[sound]
        if not waiting.size:
            break
        step = np.linalg.solve(jacobian[sound], residual[sound][..., None])[..., 0]
        # Squares, in which the upper system is nearly linear.
        square = np.clip(now * now - 2.0 * now * step, (now / _LARGEST_CHANGE) ** 2, (now * _LARGEST_CHANGE) ** 2)
        gap[waiting] = np.sqrt(square)
        done = np.max(np.abs(step) / now, axis=1) < tolerance
        converged[waiting[done]] = True
        waiting = waiting[~done]
        if not waiting.size:
            break
    return gap, converged


def _ordered(gap: Floats) -> NDArray[np.bool_]:
    """Gaps only grow with the time to expiry; what else Newton's method finds is no boundary."""
    ordered: NDArray[np.bool_] = np.all(gap[:, 1:] <= gap[:, :-1] * (1.0 + _CONVERGED), axis=1)
    return ordered


def _find(puts: Puts, span: Floats, sizes: Sizes, upper: Floats, lower: Floats, *, scaled: bool) -> Boundaries:
    """`scaled` says whether the upper gap is interpolated by its ratio to the first guess, so that no interpolated
    square is ever negative; that converges from afar. Squares themselves are the more accurate."""
    rule = rule_of(sizes)
    with np.errstate(all="ignore"):  # a row that leaves its domain has not converged
        upper, found = _newton(partial(upper_system, scaled=True), puts, span, rule, upper, _NEARLY_CONVERGED)
        if not scaled:
            upper, found_by_squares = _newton(partial(upper_system, scaled=False), puts, span, rule, upper)
            found &= found_by_squares
        lower, found_too = _newton(lower_system, puts, span, rule, lower)
    return Boundaries(span, upper, lower, found & found_too & _ordered(upper) & _ordered(lower), scaled)


def solve_coarsely(puts: Puts, span: Floats) -> Boundaries:
    """Over these spans, at whose end the boundaries must not have passed each other by far."""
    rule = rule_of(COARSE)
    lower = LOWER_PACE * np.outer(puts.volatility * np.sqrt(span), rule.fractions)
    return _find(puts, span, COARSE, first_upper(puts, span, rule.fractions[None]), lower, scaled=True)


def refine(puts: Puts, coarse: Boundaries, sizes: Sizes) -> Boundaries:
    """Over the same spans. What the first guess lacks is smooth: on a finer grid as on the coarse one."""
    upper, lower = coarse.at(puts, np.outer(coarse.span, collocation_points(sizes.collocation) ** 2))
    return _find(puts, coarse.span, sizes, upper, lower, scaled=False)


def meeting_times(puts: Puts, boundaries: Boundaries) -> Floats:
    """When the boundaries meet, from the gaps at the end of their span: the better, the nearer that is."""
    ends = boundaries.span[:, None] * np.array([1.0, 1.0 - _STEP])
    total, before = np.sum(boundaries.at(puts, ends), axis=0).T
    power = np.clip(-np.log(before / total) / _STEP, _LEAST_POWER, 1.0)
    times: Floats = boundaries.span * (puts.width / total) ** (1.0 / power)
    return times


def locate(puts: Puts, time: Floats) -> Boundaries:
    """Coarse boundaries as long before expiry as the put may be exercised: at most `time`, and until they meet.

    Where that cannot be found they have not converged.
    """
    root = puts.width / (4.0 * puts.volatility)
    drift = (puts.rate - puts.dividend_yield) * root / puts.volatility
    root = puts.width / ((upper_pace(drift) + LOWER_PACE) * puts.volatility)
    span = np.where(puts.never_meet, time, np.minimum(time, root**2))
    shape = (time.size, COARSE.collocation)
    answer = Boundaries(span, np.zeros(shape), np.zeros(shape), np.zeros(time.size, np.bool_), scaled=True)
    least, most = np.zeros(time.size), np.full(time.size, np.inf)  # solved for, not solvable
    waiting = np.arange(time.size)
    for _ in range(_MOST_SPANS):
        own, now = puts.taken(waiting), span[waiting]
        found = solve_coarsely(own, now)
        with np.errstate(all="ignore"):
            meeting = meeting_times(own, found)
        good = found.converged & np.isfinite(meeting)
        least[waiting[good]], most[waiting[~good]] = now[good], now[~good]
        lower, upper = least[waiting], most[waiting]
        aim = np.where(good, np.clip(meeting, now / 2.0, now * 3.0), np.maximum(now / 4.0, np.sqrt(lower * now)))
        with np.errstate(invalid="ignore"):
            following = np.minimum(np.where(aim >= upper, np.sqrt(now * upper), aim), time[waiting])
            done = good & (np.abs(np.minimum(meeting, time[waiting]) - now) <= _SPAN_TOLERANCE * now)
        for column, values in zip(answer[:-1], found[:-1], strict=True):
            column[waiting[done]] = values[done]
        span[waiting] = following
        waiting = waiting[~done & (np.abs(following - now) > 0.1 * _SPAN_TOLERANCE * now)]
        if not waiting.size:
            break
    return answer
