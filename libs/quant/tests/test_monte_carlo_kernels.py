"""Every kernel of paths and payoffs does what its plain Python twin does."""

import math
from typing import Any

import numpy as np
import pytest

from quantmesh.quant.monte_carlo import _exotic_kernels as exotic
from quantmesh.quant.monte_carlo import _moments_kernels as moments
from quantmesh.quant.monte_carlo import _path_kernels as path
from quantmesh.quant.monte_carlo import _payoff_kernels as payoff

STEPS, PATHS = 4, 67
LENGTHS, DRIFTS = np.full(STEPS, 0.25), np.full(STEPS, 0.01)
DISCOUNTS = np.exp(-0.01 * np.arange(STEPS + 1))
START = math.log(100.0)

EVOLUTIONS: list[tuple[str, tuple[Any, ...]]] = [
    (
        "lognormal",
        (
            np.full(2, START),
            np.full((STEPS, 2), 0.01),
            np.full((STEPS, 2), 0.1),
            np.array([[1.0, 0.0], [0.6, 0.8]]),
            False,
        ),
    ),
    ("lognormal", (np.full(1, START), np.full((STEPS, 1), 0.01), np.full((STEPS, 1), 0.1), np.eye(1), True)),
    ("heston", (START, 0.04, 0.05, 1.2, -0.6, 0.7, LENGTHS, DRIFTS)),
    ("heston", (START, 0.04, 0.05, 0.0, -0.6, 0.0, LENGTHS, DRIFTS)),
    (
        "local_volatility",
        (START, np.log([80.0, 100.0, 130.0]), np.tile([0.3, 0.2, 0.15], (STEPS, 1)), LENGTHS, DRIFTS, True),
    ),
]
OUT = (math.log(90.0), math.inf)
UP = (-math.inf, math.log(112.0))
BOTH = (math.log(85.0), math.log(118.0))
PAYOFFS: list[tuple[Any, str, tuple[Any, ...]]] = [
    (payoff, "european", (0, 1.0, 98.0, 0.95)),
    (payoff, "digital", (-1.0, 98.0, 2.0, 0.5, 0.95)),
    (payoff, "arithmetic_average", (2,)),
    (payoff, "geometric_average", (1,)),
    *[
        (payoff, "barrier", (1, True, START, *barriers, knocks_in, 3.0, DISCOUNTS, 1.0, 98.0))
        for barriers in (OUT, UP, BOTH)
        for knocks_in in (True, False)
    ],
    (payoff, "barrier", (2, False, START, *BOTH, False, 3.0, DISCOUNTS, 1.0, 98.0)),
    (exotic, "lookback", (1, True, START, START, 1.0, False, 1.0, 99.0, 0.95)),
    (exotic, "lookback", (2, False, START, START, -1.0, True, 1.0, 0.0, 0.95)),
    (exotic, "basket", (np.array([0.6, -0.4]), 1.0, 15.0, 0.95)),
    (exotic, "geometric_basket", (np.array([0.6, 0.4]), 0.1, -1.0, 115.0, 0.95)),
    (exotic, "ranked", (2, -1.0, 1.0, 90.0, 0.95)),
    (exotic, "cliquet", (2, START, -0.03, 0.06, -0.02, 0.1, 50.0)),
    (exotic, "autocallable", (2, np.full(2, START), 0.0, 0.05, -0.3, 100.0, DISCOUNTS)),
]


def normals(rows: int) -> Any:
    return np.random.default_rng(3).normal(size=(STEPS, rows, PATHS))


def paths() -> Any:
    """Logarithms in row 0, variances in row 1, which is an asset to those that have two, uniforms in row 2."""
    generator = np.random.default_rng(4)
    block = np.empty((STEPS, 3, PATHS))
    block[:, 0] = START + np.cumsum(0.08 * generator.normal(size=(STEPS, PATHS)), axis=0)
    block[:, 1] = generator.uniform(0.002, 0.02, size=(STEPS, PATHS))
    block[:, 2] = generator.uniform(size=(STEPS, PATHS))
    return block


def twin_of(module: Any, name: str) -> Any:
    return getattr(module, f"_{name}")


@pytest.mark.parametrize(("name", "arguments"), EVOLUTIONS)
def test_evolutions_agree_with_their_twins(
    name: str, arguments: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, twin = normals(2), normals(2)
    getattr(path, name)(ours, *arguments)
    monkeypatch.setattr(path, "normal_probability", twin_of(path, "normal_probability"))
    twin_of(path, name)(twin, *arguments)
    np.testing.assert_allclose(ours, twin, rtol=1e-12)


@pytest.mark.parametrize(("module", "name", "arguments"), PAYOFFS)
def test_payoffs_agree_with_their_twins(
    module: Any, name: str, arguments: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    block = paths()
    if name in {"basket", "geometric_basket", "ranked", "autocallable"}:
        block[:, 1] += START
    ours, twin = np.zeros((2, PATHS)), np.zeros((2, PATHS))
    getattr(module, name)(block, *arguments, ours, 1)
    for inner in ("hits_one", "hits_either", "hits_observed"):
        monkeypatch.setattr(payoff, inner, twin_of(payoff, inner))
    twin_of(module, name)(block, *arguments, twin, 1)
    np.testing.assert_allclose(ours, twin, rtol=1e-9, atol=1e-9)
    assert not ours[0].any()
    assert len(np.unique(ours[1].round(6))) > 1


def test_sums_of_products_agree_with_their_twin() -> None:
    rows = np.random.default_rng(5).normal(size=(3, 40))
    ours, twin = np.empty((3, 3)), np.empty((3, 3))
    moments.products(rows, ours)
    twin_of(moments, "products")(rows, twin)
    np.testing.assert_allclose(ours, twin, atol=1e-13)
    np.testing.assert_allclose(ours, rows @ rows.T, atol=1e-13)
