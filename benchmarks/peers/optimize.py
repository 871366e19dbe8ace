"""Portfolio programs by their usual solvers: Clarabel and HiGHS called directly, cvxpy, PyPortfolioOpt."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import clarabel
import highspy
import numpy as np
import pandas as pd
from pypfopt import HRPOpt
from scipy import sparse
from serving import Answer, Inputs, serve

# It exports by stars, which the type checker does not follow.
cvxpy: Any = import_module("cvxpy")


def works(inputs: Inputs) -> dict[str, Callable[[], Answer]]:
    mean, covariance, returns = inputs["mean"], inputs["covariance"], inputs["returns"]
    confidence = float(inputs["confidence"])
    count = mean.size
    upper_half = sparse.triu(sparse.csc_matrix(covariance), format="csc")
    frame = pd.DataFrame(covariance)

    def least_variance(row: np.ndarray) -> np.ndarray:
        """min x'Cx with row'x = 1 and x >= 0."""
        rows = sparse.vstack([sparse.csc_matrix(row[None, :]), -sparse.identity(count)], format="csc")
        right = np.concatenate([[1.0], np.zeros(count)])
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(count)]
        scale = count / float(np.trace(covariance))
        solver = clarabel.DefaultSolver(scale * upper_half, np.zeros(count), rows, right, cones, settings)
        return np.array(solver.solve().x)

    def minimum_variance() -> Answer:
        return {"weights": least_variance(np.ones(count))}

    def maximum_sharpe() -> Answer:
        scaled = least_variance(mean / np.abs(mean).max())
        return {"weights": scaled / scaled.sum()}

    def risk_parity() -> Answer:
        point = cvxpy.Variable(count)
        risk = cvxpy.quad_form(point, cvxpy.psd_wrap(covariance * count / np.trace(covariance)))
        cvxpy.Problem(cvxpy.Minimize(0.5 * risk - cvxpy.sum(cvxpy.log(point)) / count)).solve(solver=cvxpy.CLARABEL)
        return {"weights": point.value / point.value.sum()}

    def hierarchical_risk_parity() -> Answer:
        weights = HRPOpt(cov_matrix=frame).optimize()
        return {"weights": np.array([weights[name] for name in frame.columns])}

    def minimum_cvar() -> Answer:
        """Rockafellar and Uryasev's program whole, by the dual simplex method."""
        observations = returns.shape[0]
        share = 1.0 / ((1.0 - confidence) * observations)
        unit = float(np.abs(returns).mean())
        rows = sparse.hstack(
            [
                sparse.csc_matrix(returns / unit),
                sparse.csc_matrix(np.ones((observations, 1))),
                sparse.identity(observations),
            ],
            format="csc",
        )
        budget = sparse.csc_matrix(np.concatenate([np.ones(count), np.zeros(observations + 1)])[None, :])
        matrix = sparse.vstack([rows, budget], format="csc")
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = matrix.shape[1], matrix.shape[0]
        program.col_cost_ = np.concatenate([np.zeros(count), [1.0], np.full(observations, share)])
        program.col_lower_ = np.concatenate([np.zeros(count), [-highspy.kHighsInf], np.zeros(observations)])
        program.col_upper_ = np.full(matrix.shape[1], highspy.kHighsInf)
        program.row_lower_ = np.concatenate([np.zeros(observations), [1.0]])
        program.row_upper_ = np.concatenate([np.full(observations, highspy.kHighsInf), [1.0]])
        program.a_matrix_.start_, program.a_matrix_.index_ = matrix.indptr, matrix.indices
        program.a_matrix_.value_ = matrix.data
        solver = highspy.Highs()  # type: ignore[no-untyped-call]  # its initialiser is not annotated
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("solver", "simplex")
        solver.setOptionValue("simplex_strategy", 1)
        solver.passModel(program)
        solver.run()
        return {"weights": np.array(solver.getSolution().col_value)[:count]}

    return {
        "minimum_variance": minimum_variance,
        "maximum_sharpe": maximum_sharpe,
        "risk_parity": risk_parity,
        "hierarchical_risk_parity": hierarchical_risk_parity,
        "minimum_cvar": minimum_cvar,
    }


if __name__ == "__main__":
    serve(works)
