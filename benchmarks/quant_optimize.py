"""Portfolios of 500 assets, ours and the solvers that others call for them, in turn on the same inputs.

.venv/bin/python benchmarks/quant_optimize.py [--assets 500] [--observations 1000] [--rounds 5]
"""

import argparse
import sys
from collections.abc import Callable

import numpy as np
from side_by_side import Peer, Table, in_turn

from quantmesh.quant import covariance, optimize
from quantmesh.quant.optimize import Optimum

_CONFIDENCE = 0.95
_CERTIFIED = 1e-9
# The peers stop at about 1e-8 of their objective.
_PEER = 1e-5


def make_returns(assets: int, observations: int) -> np.ndarray:
    """Daily returns with twenty factors and fat tails."""
    generator = np.random.default_rng(1)
    loadings = generator.normal(size=(assets, 20)) * 0.004
    loadings[:, 0] += 0.01
    own = generator.uniform(0.007, 0.022, assets)
    shocks = (
        generator.normal(size=(observations, 20)) @ loadings.T + generator.normal(size=(observations, assets)) * own
    )
    tails = np.sqrt(5.0 / generator.chisquare(5, size=(observations, 1)))
    returns: np.ndarray = 0.7 * shocks * tails + generator.normal(4e-4, 4e-4, assets)
    return returns


def distance_from_budgets(matrix: np.ndarray, weights: np.ndarray) -> float:
    """The largest relative distance of a share of the variance from the others' mean."""
    shares = weights * (matrix @ weights)
    return float(np.abs(shares / shares.mean() - 1.0).max())


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--assets", type=int, default=500)
    parser.add_argument("--observations", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    returns = make_returns(arguments.assets, arguments.observations)
    mean, matrix = returns.mean(axis=0), covariance.sample(returns)
    optimize.load_kernels()
    table = Table(unit="/s", units_per_amount=1.0)
    inputs = {"mean": mean, "covariance": matrix, "returns": returns, "confidence": np.array(_CONFIDENCE)}
    with Peer("optimize", inputs) as peer:

        def compare(name: str, ours: Callable[[], Optimum], work: str, goal: float) -> tuple[Optimum, np.ndarray]:
            times = in_turn(ours, lambda: peer.seconds(work), arguments.rounds)
            table.row(name, 1.0, times, goal)
            return ours(), peer.answer("weights")

        def certify(answer: Optimum, theirs: float) -> None:
            assert answer.gap is not None
            ours = answer.optimal.objective
            table.bound("proven gap of ours", answer.gap, _CERTIFIED)
            table.bound("distance of the two objectives", abs(theirs / ours - 1.0), _PEER)

        answer, weights = compare(
            "minimum variance, to Clarabel", lambda: optimize.minimum_variance(matrix), "minimum_variance", 8.0
        )
        certify(answer, float(weights @ matrix @ weights))
        answer, weights = compare(
            "maximum Sharpe, to Clarabel", lambda: optimize.maximum_sharpe(mean, matrix), "maximum_sharpe", 8.0
        )
        certify(answer, float(mean @ weights) / float(weights @ matrix @ weights) ** 0.5)
        answer, weights = compare("risk parity, to cvxpy", lambda: optimize.risk_parity(matrix), "risk_parity", 30.0)
        table.bound(
            "distance of a share from its budget, relative", distance_from_budgets(matrix, answer.weights), 1e-10
        )
        table.bound("that of cvxpy", distance_from_budgets(matrix, weights))
        answer, weights = compare(
            "hierarchical risk parity, to PyPortfolioOpt",
            lambda: optimize.hierarchical_risk_parity(matrix, distance="correlation"),
            "hierarchical_risk_parity",
            40.0,
        )
        table.bound("distance of the weights, relative", float(np.abs(answer.weights / weights - 1.0).max()), 1e-9)
        compare(
            "the same by the paper's distances, to PyPortfolioOpt",
            lambda: optimize.hierarchical_risk_parity(matrix),
            "hierarchical_risk_parity",
            40.0,
        )
        answer, weights = compare(
            "minimum CVaR, to HiGHS dual simplex",
            lambda: optimize.minimum_cvar(returns, confidence=_CONFIDENCE),
            "minimum_cvar",
            2.0,
        )
        tail = round((1.0 - _CONFIDENCE) * arguments.observations)
        certify(answer, float(np.sort(-(returns @ weights))[-tail:].mean()))
    return table.exit_status


if __name__ == "__main__":
    sys.exit(main())
