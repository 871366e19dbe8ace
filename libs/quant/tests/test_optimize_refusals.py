"""Inputs and constraints that optimisation refuses, each by its name."""

import numpy as np
import pytest
from numpy.typing import NDArray

from quantmesh.quant import optimize
from quantmesh.quant.errors import DomainError
from quantmesh.quant.optimize import Constraints, Group

Floats = NDArray[np.float64]


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((2, 3)), "square"),
        (np.array([[1.0, 2.0], [0.0, 1.0]]), "symmetric"),
        (np.zeros((2, 2)), "positive"),
        (np.eye(2) * np.nan, "finite"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), "semidefinite"),
    ],
)
def test_what_is_no_covariance_is_refused(matrix: Floats, message: str) -> None:
    with pytest.raises(DomainError, match=f"covariance.*{message}"):
        optimize.minimum_variance(matrix)


@pytest.mark.parametrize(
    ("constraints", "argument"),
    [
        (Constraints(minimum=[0.1, 0.2]), "minimum"),
        (Constraints(maximum=np.nan), "maximum"),
        (Constraints(budget=np.inf), "budget"),
        (Constraints(current=[0.5, 0.5]), "current"),
        (Constraints(maximum_turnover=0.1), "current"),
        (Constraints(costs=0.1), "current"),
        (Constraints(costs=-0.1, current=[1.0, 0.0, 0.0]), "costs"),
        (Constraints(maximum_turnover=-1.0, current=[1.0, 0.0, 0.0]), "maximum_turnover"),
        (Constraints(maximum_holdings=0), "maximum_holdings"),
        (Constraints(minimum_position=0.0), "minimum_position"),
        (Constraints(minimum_position=0.1, minimum=-0.1), "minimum"),
        (Constraints(groups=(Group("none", ()),)), "groups"),
        (Constraints(groups=(Group("outside", (0, 3)),)), "groups"),
        (Constraints(groups=(Group("endless", (0, 1), maximum=np.inf),)), "groups"),
        (Constraints(names=["one"]), "names"),
    ],
)
def test_what_is_no_constraint_is_refused_by_its_name(constraints: Constraints, argument: str) -> None:
    with pytest.raises(DomainError) as caught:
        optimize.minimum_variance(np.eye(3), constraints)
    assert caught.value.argument == argument


@pytest.mark.parametrize("risk_aversion", [0.0, -1.0, np.nan, np.inf])
def test_risk_aversion_is_positive(risk_aversion: float) -> None:
    with pytest.raises(DomainError, match="risk_aversion"):
        optimize.mean_variance([0.1, 0.2], np.eye(2), risk_aversion=risk_aversion)
