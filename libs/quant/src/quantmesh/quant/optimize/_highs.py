"""Linear and mixed-integer programs by HiGHS (Huangfu and Hall, 2018), which continues from its last basis.

A model grows by columns and rows; after `solve` it holds values, row duals and a bound on the optimum.
"""

from typing import NamedTuple

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from quantmesh.quant._samples import Floats
from quantmesh.quant.errors import SolverError

INFINITY = highspy.kHighsInf
_TOLERANCE = 1e-9


class Solution(NamedTuple):
    values: Floats  # per column
    row_duals: Floats  # empty where columns are integers
    objective: float
    bound: float  # the optimum is not below
    iterations: int


class Model:
    """Minimise cost' x with bounds on columns and rows."""

    def __init__(self, *, relative_gap: float = 0.0) -> None:
        self._highs = highspy.Highs()  # type: ignore[no-untyped-call]  # its initialiser is not annotated
        self._has_integers = False
        options: dict[str, bool | int | float] = {
            "output_flag": False,
            "threads": 1,
            "primal_feasibility_tolerance": _TOLERANCE,
            "dual_feasibility_tolerance": _TOLERANCE,
            "mip_feasibility_tolerance": _TOLERANCE,
            "mip_rel_gap": relative_gap,
            "mip_abs_gap": 0.0,
        }
        for name, value in options.items():
            self._highs.setOptionValue(name, value)

    def solve_as_it_grows(self) -> None:
        """Keep the basis from one solution to the next, which preparing the program anew would lose."""
        self._highs.setOptionValue("presolve", "off")

    def search_anew(self) -> None:
        """Reduce the program before each solution, as a search over integers needs, and forget the last one."""
        self._highs.setOptionValue("presolve", "choose")
        self._highs.clearSolver()

    def stop_after(self, seconds: float) -> None:
        # HiGHS counts from the model's first solution on.
        self._highs.setOptionValue("time_limit", self._highs.getRunTime() + seconds)

    def add_columns(self, cost: Floats, lower: Floats, upper: Floats, entries: csr_matrix | None = None) -> slice:
        """`entries` are those in the rows so far, a row of the matrix for each new column."""
        start = self._highs.getNumCol()
        self._highs.addCols(cost.size, cost, lower, upper, *_arguments(entries, cost.size))
        return slice(start, start + cost.size)

    def add_rows(self, matrix: csr_matrix, lower: Floats, upper: Floats) -> None:
        self._highs.addRows(lower.size, lower, upper, *_arguments(matrix, lower.size))

    def require_integers(self, columns: slice) -> None:
        indices = np.arange(columns.start, columns.stop, dtype=np.int32)
        kinds = np.full(indices.size, highspy.HighsVarType.kInteger.value, dtype=np.uint8)
        self._highs.changeColsIntegrality(indices.size, indices, kinds)
        self._has_integers = True

    def start_from(self, values: Floats) -> None:
        """The next search starts from this feasible point; out of what was solved before it would first make one."""
        self._highs.clearSolver()
        start = highspy.HighsSolution()
        start.col_value = values.tolist()
        self._highs.setSolution(start)

    def set_cost(self, columns: slice, cost: Floats) -> None:
        indices = np.arange(columns.start, columns.stop, dtype=np.int32)
        self._highs.changeColsCost(indices.size, indices, cost)

    def set_row(self, row: int, lower: float, upper: float) -> None:
        self._highs.changeRowBounds(row, lower, upper)

    def solve(self) -> Solution | None:
        """None where no point satisfies the rows; raises SolverError for anything but an answer."""
        self._highs.run()
        status = self._highs.getModelStatus()
        information = self._highs.getInfo()
        if status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            return None
        found = information.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        stopped = status == highspy.HighsModelStatus.kTimeLimit and self._has_integers and found
        if status != highspy.HighsModelStatus.kOptimal and not stopped:
            raise SolverError("highs", self._highs.modelStatusToString(status))
        solution = self._highs.getSolution()
        objective = float(information.objective_function_value)
        return Solution(
            values=np.array(solution.col_value),
            row_duals=np.zeros(0) if self._has_integers else np.array(solution.row_dual),
            objective=objective,
            bound=float(information.mip_dual_bound) if self._has_integers else objective,
            iterations=int(information.simplex_iteration_count),
        )


def certain(solution: Solution | None) -> Solution:
    """For programs that are feasible by how they were made."""
    if solution is None:
        raise SolverError("highs", "infeasible, of a program that is feasible but for rounding")
    return solution


def _arguments(
    matrix: csr_matrix | None, size: int
) -> tuple[int, NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    if matrix is None:
        return 0, np.zeros(size, np.int32), np.zeros(0, np.int32), np.zeros(0)
    return matrix.nnz, matrix.indptr[:-1].astype(np.int32), matrix.indices.astype(np.int32), matrix.data
