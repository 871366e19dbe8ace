"""Quadratic programs with any linear constraints, by Clarabel's interior-point method (Goulart and Chen, 2024)."""

from typing import NamedTuple

import clarabel
import numpy as np
from scipy import sparse

from quantmesh.quant._samples import Floats
from quantmesh.quant.errors import SolverError

SOLVER = "clarabel"
_TOLERANCE = 1e-11


class Solution(NamedTuple):
    """Q values + linear + rows' multipliers = 0; a multiplier is positive where the upper side binds."""

    values: Floats
    multipliers: Floats
    iterations: int


def solve(quadratic: Floats, linear: Floats, rows: sparse.csr_matrix, row_lower: Floats, row_upper: Floats) -> Solution:
    """The minimum of x' Q x / 2 + linear' x with two-sided rows; Q covers the first columns.

    Raises SolverError where there is none.
    """
    equal = row_lower == row_upper
    above, below = ~equal & np.isfinite(row_upper), ~equal & np.isfinite(row_lower)
    matrix = sparse.vstack([rows[equal], rows[above], -rows[below]], format="csc")
    right = np.concatenate([row_upper[equal], row_upper[above], -row_lower[below]])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = _TOLERANCE
    cones = [clarabel.ZeroConeT(int(equal.sum())), clarabel.NonnegativeConeT(right.size - int(equal.sum()))]
    # Scaled to unit size: daily variances of 1e-4 would otherwise meet the solver's absolute tolerances at once.
    scale = float(np.trace(quadratic)) / quadratic.shape[0]
    rest = linear.size - quadratic.shape[0]
    objective = sparse.block_diag([sparse.triu(sparse.csc_matrix(quadratic / scale)), sparse.csc_matrix((rest, rest))])
    solver = clarabel.DefaultSolver(
        sparse.csc_matrix(objective), linear / scale, sparse.csc_matrix(matrix), right, cones, settings
    )
    solution = solver.solve()
    if solution.status not in (clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved):
        raise SolverError(SOLVER, str(solution.status))
    multipliers = np.zeros(row_lower.size)
    pieces = np.split(np.asarray(solution.z) * scale, np.cumsum([equal.sum(), above.sum()]))
    for which, sign, piece in zip((equal, above, below), (1.0, 1.0, -1.0), pieces, strict=True):
        multipliers[which] += sign * piece
    return Solution(np.asarray(solution.x, dtype=np.float64), multipliers, int(solution.iterations))
