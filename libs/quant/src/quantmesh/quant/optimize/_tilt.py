"""The tilt towards return at which optimal weights have a property: on the tangent, or with a given return.

Both the return and its trade-off with variance are monotone along the frontier, and on each of its lines the tilt
sought has a closed form; a bracket keeps the search safe where it crosses from line to line.
"""

from collections.abc import Callable
from typing import NamedTuple

from quantmesh.quant._samples import Floats
from quantmesh.quant.errors import SolverError
from quantmesh.quant.optimize._box_program import SOLVER, BoxProgram, Line

_SEARCHES = 100
_CLOSE = 1e-10


class Verdict(NamedTuple):
    """`proposed` is the tilt sought if the line through the weights reaches so far; None where it has none."""

    proposed: float | None
    is_higher: bool


def search(
    program: BoxProgram, tilt: float, weights: Floats, judge: Callable[[float, Floats, Line | None], Verdict]
) -> tuple[float, Floats]:
    """The tilt and weights that `judge` accepts by proposing their own tilt; raises SolverError where none do."""
    low, high = 0.0, float("inf")
    for _ in range(_SEARCHES):
        weights = program.solve(tilt, weights)
        line = program.line(weights)
        proposed, is_higher = judge(tilt, weights, line)
        if proposed is not None and abs(proposed - tilt) <= _CLOSE * tilt:
            # So close that the line cannot have ended.
            return proposed, weights if line is None else line.start + proposed * line.slope
        low, high = (tilt, high) if is_higher else (low, tilt)
        if proposed is None or not low < proposed < high:
            proposed = 4.0 * low if high == float("inf") else 0.5 * (low + high)
        if high - low <= _CLOSE * low:
            break
        tilt = proposed
    raise SolverError(SOLVER, "no single tilt; the frontier has a gap where the covariance is singular")
