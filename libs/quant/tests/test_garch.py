"""GARCH(1,1) against the arch package, another search, its twin, finite differences, and simulated returns."""

import math
from importlib import import_module

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from quantmesh.quant import _garch_kernels as kernels
from quantmesh.quant import garch
from quantmesh.quant.errors import DomainError

Floats = NDArray[np.float64]


def simulated(count: int, seed: int, omega: float = 2e-6, alpha: float = 0.08, beta: float = 0.9) -> Floats:
    draws = np.random.default_rng(seed).standard_normal(count)
    returns = np.empty(count)
    variance = omega / (1.0 - alpha - beta)
    for day in range(count):
        returns[day] = math.sqrt(variance) * draws[day]
        variance = omega + alpha * returns[day] ** 2 + beta * variance
    return returns


@pytest.mark.parametrize("seed", [0, 2])
def test_the_fit_is_that_of_the_arch_package(seed: int) -> None:
    arch_model = import_module("arch").arch_model
    returns = simulated(1_500, seed)
    ours = garch.fit(returns)
    percents = 100.0 * ours.residuals
    theirs = arch_model(percents, mean="Zero", rescale=False).fit(
        disp="off", backcast=float((percents**2).mean()), options={"ftol": 1e-14, "maxiter": 1_000}
    )
    found = [ours.omega * 1e4, ours.alpha, ours.beta]
    np.testing.assert_allclose(found, theirs.params.to_numpy(), rtol=1e-4)
    log_likelihood = ours.log_likelihood - returns.size * math.log(100.0)
    assert log_likelihood == pytest.approx(theirs.loglikelihood, abs=1e-6)
    assert log_likelihood >= theirs.loglikelihood - 1e-8
    forecasts = theirs.forecast(horizon=5, reindex=False).variance.to_numpy()[0]
    np.testing.assert_allclose(ours.forecast(5) * 1e4, forecasts, rtol=1e-4)
    np.testing.assert_allclose(np.sqrt(ours.variances) * 100.0, theirs.conditional_volatility, rtol=1e-4)


def test_no_search_over_the_parameters_finds_a_higher_likelihood() -> None:
    fitted = garch.fit(simulated(400, 12))
    residuals = fitted.residuals
    initial = float((residuals**2).mean())

    def minus_log_likelihood(point: Floats) -> float:
        """Bollerslev (1986), step by step; infinite outside of the parameters' domain."""
        omega, alpha, beta = point[0] * initial, point[1], point[2]
        if omega <= 0.0 or alpha < 0.0 or beta < 0.0 or alpha + beta >= 1.0:
            return math.inf
        variance, total = omega + (alpha + beta) * initial, 0.0
        for residual in residuals.tolist():
            total += 0.5 * (math.log(2.0 * math.pi) + math.log(variance) + residual**2 / variance)
            variance = omega + alpha * residual**2 + beta * variance
        return total

    found = [fitted.omega / initial, fitted.alpha, fitted.beta]
    assert fitted.log_likelihood == pytest.approx(-minus_log_likelihood(np.array(found)), rel=1e-12)
    for start in (found, [0.05, 0.1, 0.8], [0.3, 0.3, 0.3]):
        searched = minimize(minus_log_likelihood, start, method="Nelder-Mead", options={"maxiter": 250})
        assert fitted.log_likelihood >= -searched.fun - 1e-6


def test_the_kernel_agrees_with_its_python_twin_and_its_slopes_with_differences() -> None:
    squares = simulated(60, 1) ** 2 * 1e4
    outputs = [(np.empty(61), np.empty(3)) for _ in range(2)]
    compiled = kernels.garch(squares, 1.3, 0.1, 0.15, 0.7, *outputs[0])
    assert compiled == pytest.approx(kernels._garch(squares, 1.3, 0.1, 0.15, 0.7, *outputs[1]), rel=1e-13)
    for ours, twin in zip(*outputs, strict=True):
        np.testing.assert_allclose(ours, twin, rtol=1e-11)
    for index in range(3):
        ends = []
        for step in (1e-6, -1e-6):
            parameters = [0.1, 0.15, 0.7]
            parameters[index] += step
            ends.append(kernels.garch(squares, 1.3, *parameters, np.empty(61), np.empty(3)))
        assert outputs[0][1][index] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6, abs=1e-6)


def test_variance_targeting_keeps_the_variance_of_the_sample() -> None:
    returns = simulated(1_000, 3)
    targeted, free = garch.fit(returns, variance_targeting=True), garch.fit(returns)
    assert targeted.omega / (1.0 - targeted.alpha - targeted.beta) == pytest.approx(returns.var(), rel=1e-9)
    assert free.log_likelihood >= targeted.log_likelihood - 1e-8


def test_a_long_sample_gives_its_parameters_back() -> None:
    fitted = garch.fit(simulated(40_000, 4))
    assert fitted.alpha == pytest.approx(0.08, abs=0.01)
    assert fitted.beta == pytest.approx(0.9, abs=0.012)
    assert fitted.standardized.std() == pytest.approx(1.0, abs=0.01)


def test_the_unit_of_returns_does_not_matter() -> None:
    returns = simulated(500, 5)
    one, many = garch.fit(returns), garch.fit(returns * 1e4)
    assert many.alpha == pytest.approx(one.alpha, abs=1e-7)
    assert many.next_variance == pytest.approx(one.next_variance * 1e8, rel=1e-7)


def test_exponential_weights_by_hand() -> None:
    returns = simulated(50, 6)
    variance = float((returns**2).mean())
    for value in returns:
        variance = 0.94 * variance + 0.06 * value * value
    assert garch.ewma(returns).next_variance == pytest.approx(variance, rel=1e-13)


@pytest.mark.parametrize("returns", [np.zeros(50), np.full(50, 0.01), np.zeros(3), [[0.1] * 20], [math.nan] * 20])
def test_returns_without_a_variance_are_refused(returns: object) -> None:
    with pytest.raises(DomainError, match="returns"):
        garch.fit(returns)  # type: ignore[arg-type]


def test_a_decay_outside_of_its_range_is_refused() -> None:
    with pytest.raises(DomainError, match="decay"):
        garch.ewma(simulated(20, 1), decay=1.0)
