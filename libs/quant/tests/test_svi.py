"""SVI surfaces: known ones come back, arbitrage does not, and what is wrong is named."""

import math
from typing import Any

import numpy as np
import pytest

from quantmesh.quant import svi
from quantmesh.quant._ssvi import Quotes
from quantmesh.quant._svi_constrained import SurfaceProblem
from quantmesh.quant.errors import DomainError

# Axel Vogt's example in Gatheral and Jacquier, "Arbitrage-free SVI volatility surfaces" (2014), section 3.
VOGT = {"a": -0.0410, "b": 0.1331, "rho": 0.3060, "m": 0.3586, "sigma": 0.4153}
# Three slices that are free of arbitrage.
FREE: dict[str, Any] = {
    "time_to_expiry": [0.1, 0.5, 1.5],
    "forward": [100.5, 102.0, 105.0],
    "a": [0.001, 0.006, 0.02],
    "b": [0.03, 0.06, 0.09],
    "rho": [-0.6, -0.5, -0.4],
    "m": [0.01, 0.02, 0.05],
    "sigma": [0.06, 0.15, 0.25],
}


def quotes_of(surface: svi.Surface, strikes: int = 25) -> dict[str, Any]:
    """Strikes within about three deviations, with the volatilities of the surface."""
    columns: dict[str, list[Any]] = {"strike": [], "time_to_expiry": [], "forward": []}
    for time, forward in zip(surface.time_to_expiry, surface.forward, strict=True):
        columns["strike"] += list(forward * np.exp(0.75 * math.sqrt(time) * np.linspace(-1, 1, strikes)))
        columns["time_to_expiry"] += [time] * strikes
        columns["forward"] += [forward] * strikes
    arrays = {name: np.array(column) for name, column in columns.items()}
    return arrays | {"volatility": surface.volatility(arrays["strike"], arrays["time_to_expiry"])}


def test_a_later_smile_below_an_earlier_one_is_calendar_arbitrage() -> None:
    crossing = svi.Surface(**(FREE | {"b": [0.03, 0.06, 0.05]}))
    worst = crossing.arbitrage().calendar
    assert worst.value < 0.0
    assert worst.time_to_expiry == 0.5
    k = worst.log_moneyness
    if math.isfinite(k):
        early, late = (crossing.total_variance(crossing.forward_at(time) * math.exp(k), time) for time in (0.5, 1.5))
        assert late < early
    steep = svi.Surface(1.0, 100.0, 0.1, 1.5, 0.5, 0.0, 0.3).arbitrage().butterfly
    assert steep.value < 0.0


def test_the_conditions_of_the_fit_match_differences() -> None:
    surface = svi.Surface(**FREE)
    quotes = quotes_of(surface, strikes=7)
    k = np.log(quotes["strike"] / quotes["forward"])
    expiry = np.repeat(np.arange(3), 7)
    table = Quotes(surface.time_to_expiry, expiry, k, quotes["volatility"] + 0.01, np.linspace(0.5, 1.5, 21))
    problem = SurfaceProblem.of(table, surface.wings, 5)
    x = surface.wings.reshape(-1)
    steps = 1e-7 * np.eye(x.size)
    for function, jacobian in (
        (problem.residuals, problem.residual_jacobian),
        (problem.inequalities, problem.inequality_jacobian),
    ):
        differences = np.stack([(function(x + h) - function(x - h)) / 2e-7 for h in steps], -1)
        np.testing.assert_allclose(jacobian(x), differences, rtol=1e-6, atol=1e-5 * np.abs(differences).max())


def test_exact_quotes_give_back_the_surface_they_came_from() -> None:
    surface = svi.Surface(**FREE)
    assert surface.arbitrage().is_free
    fitted = svi.fit(**quotes_of(surface))
    assert fitted.parametrization == "svi"
    assert fitted.rmse < 2e-6
    for name in ("a", "b", "rho", "m", "sigma"):
        np.testing.assert_allclose(getattr(fitted.surface, name), FREE[name], rtol=5e-3, atol=1e-4)


def test_a_flat_surface_is_fitted_flat() -> None:
    flat = svi.Surface([0.25, 1.0], [100.0, 101.0], [0.01, 0.04], 0.0, 0.0, 0.0, 0.1)
    fitted = svi.fit(**quotes_of(flat))
    assert fitted.rmse < 1e-5
    assert fitted.arbitrage.is_free
    assert fitted.surface.volatility(90.0, 0.6) == pytest.approx(0.2, abs=1e-5)


def test_quotes_with_butterflies_and_crossings_are_fitted_without() -> None:
    early = svi.Surface(0.5, 100.0, **(VOGT | {"a": -0.039}))
    late = svi.Surface(1.0, 100.0, **VOGT)
    quotes: dict[str, Any] = {
        name: np.concatenate([column, quotes_of(late)[name]]) for name, column in quotes_of(early).items()
    }
    smiles: dict[str, Any] = {name: np.append(getattr(early, name), getattr(late, name)) for name in VOGT}
    both = svi.Surface([0.5, 1.0], [100.0, 100.0], **smiles)
    assert both.arbitrage().butterfly.value < 0.0
    assert both.arbitrage().calendar.value < 0.0
    fitted = svi.fit(**quotes)
    assert fitted.parametrization == "svi"
    assert fitted.arbitrage.is_free
    assert fitted.rmse < 0.01


def test_the_fit_beats_ssvi_which_is_free_too() -> None:
    quotes = quotes_of(svi.Surface(**FREE))
    simple, full = svi.fit(**quotes, parametrization="ssvi"), svi.fit(**quotes)
    assert simple.parametrization == "ssvi"
    assert simple.arbitrage.is_free
    assert full.rmse < simple.rmse < 0.02


def test_parameter_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth: dict[str, Any] = {name: np.asarray(column)[1:2] for name, column in FREE.items()}
    quotes = quotes_of(svi.Surface(**truth), strikes=41)
    generator = np.random.default_rng(3)
    hits = np.zeros(5)
    trials = 60
    for _ in range(trials):
        noisy = quotes | {"volatility": quotes["volatility"] + generator.normal(0.0, 5e-4, 41)}
        interval = svi.fit(**noisy, confidence=0.9).parameter_interval[0]
        values = np.array([truth[name][0] for name in ("a", "b", "rho", "m", "sigma")])
        hits += (interval[:, 0] <= values) & (values <= interval[:, 1])
    # Three standard errors of 0.04 around 0.9, and some for the parameters' curvature.
    assert (hits / trials > 0.75).all()


def test_total_variance_is_linear_in_time_at_constant_log_moneyness() -> None:
    surface = svi.Surface(**FREE, spot=100.0)

    def w(k: float, time: float) -> float:
        return float(surface.total_variance(surface.forward_at(time) * math.exp(k), time))

    for k in (-0.8, 0.0, 0.4):
        assert w(k, 0.2) == pytest.approx(0.75 * w(k, 0.1) + 0.25 * w(k, 0.5), rel=1e-12)
        assert w(k, 0.02) == pytest.approx(0.2 * w(k, 0.1), rel=1e-12)
        assert w(k, 3.0) - w(k, 1.5) == pytest.approx(w(0.0, 1.5), rel=1e-12)
        assert w(k, 0.0) == 0.0
    assert surface.forward_at(0.0) == pytest.approx(100.0)
    assert surface.forward_at(0.3) == pytest.approx(math.sqrt(100.5 * 102.0))
    assert surface.volatility(100.0, 0.0) == pytest.approx(float(surface.volatility(100.0, 1e-6)), rel=1e-4)
    assert np.shape(surface.volatility(np.array([[90.0], [110.0]]), [0.1, 0.4, 2.0])) == (2, 3)
    assert isinstance(surface.volatility(100, 1), float)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sigma": [0.1, -0.1, 0.1]}, r"^sigma\[1\] must be a positive number"),
        ({"rho": 1.5}, r"^rho\[0\] must be between -1 and 1"),
        ({"time_to_expiry": [0.1, 0.1, 0.2]}, r"^time_to_expiry\[1\] must be after the slice before"),
        ({"a": [-1.0, 0.1, 0.1]}, r"^a\[0\] must be at least -0.00144"),
        ({"spot": -1.0}, r"^spot must be a positive number"),
    ],
)
def test_parameters_that_are_no_smile_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        svi.Surface(**(FREE | wrong))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"volatility": math.nan}, r"^volatility\[0\] must be"),
        ({"strike": np.linspace(-1.0, 100.0, 75)}, r"^strike\[0\] must be a positive number"),
        (
            {"strike": np.full(75, 100.0)},
            r"^strike must be at least five different.*got 1 at 0.1 years",
        ),
        ({"forward": np.linspace(100.0, 101.0, 75)}, r"^forward\[1\] must be 100 as in row 0, of the same expiry"),
        ({"spread": 0.0}, r"^spread\[0\] must be a positive number"),
        ({"time_to_expiry": np.ones(3)}, r"^time_to_expiry must be one value, or 75 rows"),
        ({"parametrization": "sabr"}, r"^parametrization must be \"svi\" or \"ssvi\", got 'sabr'"),
        ({"confidence": 0.0}, r"^confidence must be"),
        ({"strike": []}, r"^strike must be one value, or a column of them, got no rows"),
        ({"strike": np.full((75, 1), 100.0)}, r"^strike must be one value, or a column of them, got 2 dimensions"),
    ],
)
def test_quotes_that_cannot_be_fitted_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        svi.fit(**(quotes_of(svi.Surface(**FREE)) | wrong))
