"""Weights of a portfolio for an objective within constraints (RSK-7), and why there are none (NEW-6).

Every answer is an `Optimum`: weights in the order of the assets with their statistics, equal weights and current ones
beside them on the same objective, and a proven bound. Inputs share one period, of which the statistics are too.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from quantmesh.quant.optimize._constraints import Constraints, Group
from quantmesh.quant.optimize._optimum import Allocation, Optimum

if TYPE_CHECKING:
    from quantmesh.quant.optimize._black_litterman import Posterior, black_litterman
    from quantmesh.quant.optimize._frontier import Frontier, frontier
    from quantmesh.quant.optimize._hierarchical_risk_parity import hierarchical_risk_parity
    from quantmesh.quant.optimize._maximum_sharpe import maximum_sharpe
    from quantmesh.quant.optimize._mean_variance import mean_variance
    from quantmesh.quant.optimize._minimum_cvar import minimum_cvar
    from quantmesh.quant.optimize._minimum_variance import minimum_variance
    from quantmesh.quant.optimize._risk_parity import risk_parity

__all__ = [
    "Allocation",
    "Constraints",
    "Frontier",
    "Group",
    "Optimum",
    "Posterior",
    "black_litterman",
    "frontier",
    "hierarchical_risk_parity",
    "load_kernels",
    "maximum_sharpe",
    "mean_variance",
    "minimum_cvar",
    "minimum_variance",
    "risk_parity",
]

# Solvers and kernels take up to a second to import: on first use.
_HOMES = {
    "Frontier": "_frontier",
    "Posterior": "_black_litterman",
    **{name: f"_{name}" for name in __all__ if name.islower() and name != "load_kernels"},
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def load_kernels() -> None:
    """Compile what the solvers need, or read it from the cache, ahead of the first call."""
    from quantmesh.quant.optimize import (  # noqa: F401  importing loads them
        _exchange_kernels,
        _hierarchical_risk_parity_kernels,
        _matrix_kernels,
        _risk_parity_kernels,
    )
