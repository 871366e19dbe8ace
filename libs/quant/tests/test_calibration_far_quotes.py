"""Calibrations to quotes so far from the money, or so calm, that prices hardly tell a volatility."""

import math
from typing import Any

import numpy as np
import pytest

from quantmesh.quant import black_scholes
from quantmesh.quant._calibration_least_squares import least_squares
from quantmesh.quant.calibration import Quotes, calibrate
from quantmesh.quant.errors import DomainError


def quotes(strikes: list[float], **quoted: Any) -> Quotes:
    """Calls of half a year on a spot of 100 without rates."""
    contract: dict[str, Any] = {"spot": 100.0, "time_to_expiry": 0.5, "rate": 0.0, "dividend_yield": 0.0}
    return Quotes(option_type="call", strike=strikes, **contract, **quoted)


@pytest.mark.parametrize("model", ["black_scholes", "heston", "bates", "sabr"])
def test_a_call_deep_in_the_money_counts_by_its_price_where_that_says_nothing_of_volatility(model: str) -> None:
    strikes = [20.0, 85.0, 90.0, 95.0, 100.0, 105.0, 110.0, 115.0, 120.0, 700.0]
    fit = calibrate(model, quotes(strikes, implied_volatility=0.2), fixed={"beta": 1.0} if model == "sabr" else {})
    # Of the models' own accuracy, 1e-12 of the spot, over a hundredth of the vega at the money.
    assert abs(fit.residuals[[0, -1]]).max() < 1e-10
    assert fit.rmse < 1e-3


def test_a_volatility_that_prices_do_tell_counts_as_it_is() -> None:
    strikes = [80.0, 100.0, 120.0]
    prices = np.asarray(black_scholes.price("call", 100.0, strikes, 0.5, 0.0, 0.0, [0.25, 0.2, 0.25]))
    fit = calibrate("black_scholes", quotes(strikes, price=prices))
    np.testing.assert_allclose(fit.residuals, fit.parameters["volatility"] - np.array([0.25, 0.2, 0.25]), atol=1e-12)


def test_quotes_that_are_all_at_their_intrinsic_values_are_refused() -> None:
    with pytest.raises(DomainError, match=r"^quotes must be some whose price moves with volatility"):
        calibrate("black_scholes", quotes([20.0, 30.0], implied_volatility=0.01))


@pytest.mark.parametrize(
    ("time", "strikes", "volatilities"),
    [
        # SABR's expansion rises beyond all volatilities on the way; then a step gains far more than was foretold.
        (0.592, [169.3, 86.7, 48.9], [0.353, 1.46, 0.25]),
        (14.508, [84.6, 185.7, 267.3], [0.0351, 0.0221, 0.844]),
        (65.768, [95.5, 61.4, 49.7], [1.05, 0.00103, 0.0002]),
    ],
)
def test_smiles_that_no_model_has_are_still_fitted(
    time: float, strikes: list[float], volatilities: list[float]
) -> None:
    contract: dict[str, Any] = {"spot": 100.0, "time_to_expiry": time, "rate": 0.0, "dividend_yield": 0.0}
    far = Quotes(option_type="call", strike=strikes, implied_volatility=volatilities, **contract)
    with np.errstate(over="ignore", invalid="ignore"):
        fit = calibrate("sabr", far, fixed={"beta": 0.0})
    assert all(math.isfinite(value) for value in fit.parameters.values())
    assert math.isfinite(fit.rmse)


def test_parameters_that_move_all_residuals_alike_are_still_fitted() -> None:
    """Their normal equations are singular, and the more so the better the steps are foretold."""

    def evaluate(point: Any) -> tuple[Any, Any]:
        total = float(point.sum())
        return np.array([1e60 * total**3]), np.full((1, 3), 3e60 * total**2)

    fit = least_squares(evaluate, np.full(3, 0.5), np.full(3, -1.0), np.full(3, 1.0), 300)
    assert abs(fit.point.sum()) < 1e-15
