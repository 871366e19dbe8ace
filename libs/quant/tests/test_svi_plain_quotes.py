"""SVI through quotes that show hardly any smile, or none that a slice could follow."""

import math
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from quantmesh.quant import svi

Floats = NDArray[np.float64]
Parametrization = Literal["svi", "ssvi"]
EXPIRIES = (0.25, 0.5, 2.0)


def fitted(volatility: Floats, k: Floats, parametrization: Parametrization) -> svi.Fit:
    """Through as many volatilities for each of EXPIRIES, on a forward of 1; k is in deviations of 0.2 a year."""
    times = np.repeat(EXPIRIES, volatility.size // len(EXPIRIES))
    strikes = np.exp(0.4 * k * np.sqrt(times))
    return svi.fit(strikes, times, volatility, 1.0, spot=1.0, parametrization=parametrization)


@pytest.mark.parametrize("parametrization", ["svi", "ssvi"])
@pytest.mark.parametrize("seed", range(6))
def test_smiles_that_are_flat_but_for_a_basis_point_are_fitted(parametrization: Parametrization, seed: int) -> None:
    generator = np.random.default_rng(seed)
    k = generator.normal(size=24)
    fit = fitted(0.2 + 1e-4 * generator.normal(size=24), k, parametrization)
    assert fit.arbitrage.is_free
    assert fit.rmse < 2e-4
    strikes = np.linspace(0.7, 1.4, 8)
    np.testing.assert_allclose(fit.surface.volatility(strikes, 0.5), 0.2, atol=1e-3)
    assert fit.surface.volatility(1.0, 1.0) == pytest.approx(0.2, abs=3e-4)


@pytest.mark.parametrize("parametrization", ["svi", "ssvi"])
def test_a_flat_surface_is_flat(parametrization: Parametrization) -> None:
    fit = fitted(np.full(24, 0.3), np.tile(np.linspace(-1.5, 1.5, 8), 3), parametrization)
    assert fit.arbitrage.is_free
    assert fit.rmse < 1e-5


@pytest.mark.parametrize("parametrization", ["svi", "ssvi"])
@pytest.mark.parametrize("seed", [1, 5, 8, 15])
def test_noise_leaves_a_surface_without_arbitrage(parametrization: Parametrization, seed: int) -> None:
    generator = np.random.default_rng(seed)
    noise = np.exp(generator.uniform(math.log(0.05), math.log(0.8), 15))
    fit = fitted(noise, generator.normal(size=15), parametrization)
    assert fit.arbitrage.is_free
    assert fit.rmse < 0.5
