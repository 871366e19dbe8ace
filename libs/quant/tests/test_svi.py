"""SVI against published arbitrage, densities by differences of prices, known surfaces, and the real SPY chain."""

import gzip
import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantmesh.quant import _svi_formulas as formulas
from quantmesh.quant import _svi_margins as margins
from quantmesh.quant import black_76, local_volatility, svi
from quantmesh.quant._ssvi import Quotes, largest_eta, ssvi_rows
from quantmesh.quant._svi_constrained import SurfaceProblem
from quantmesh.quant.errors import DomainError

# Gatheral and Jacquier, "Arbitrage-free SVI volatility surfaces" (2014), eq. 3.8, after Axel Vogt.
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


def spy_quotes() -> dict[str, Any]:
    """Bid and ask volatilities on days of 365, as `volatility_bid` and `volatility_ask`."""
    chain = json.loads(gzip.decompress((Path(__file__).parent / "data/spy_option_chain.json.gz").read_bytes()))
    start = datetime.fromisoformat(chain["time"])
    columns: dict[str, list[float]] = {
        name: [] for name in ("strike", "time_to_expiry", "forward", "volatility_bid", "volatility_ask")
    }
    for maturity in chain["expiries"]:
        count = len(maturity["strikes"])
        years = (datetime.fromisoformat(maturity["expiry"]) - start).total_seconds() / 86400 / 365
        ratio = math.sqrt(maturity["ttm_360"] / years)
        columns["strike"] += maturity["strikes"]
        columns["time_to_expiry"] += [years] * count
        columns["forward"] += [maturity["forward"]] * count
        columns["volatility_bid"] += [ratio * bid for bid in maturity["bid"]]
        columns["volatility_ask"] += [ratio * ask for ask in maturity["ask"]]
    return {name: np.array(column) for name, column in columns.items()}


def test_vogts_smile_has_a_butterfly() -> None:
    worst = svi.Surface(1.0, 100.0, **VOGT).arbitrage()
    assert not worst.is_free
    # Figure 2 of the paper: the density is negative around a log-moneyness of 0.8 to 1.
    assert worst.butterfly.value == pytest.approx(-0.0329, abs=1e-3)
    assert 0.7 < worst.butterfly.log_moneyness < 1.1
    assert worst.butterfly.strike == pytest.approx(100.0 * math.exp(worst.butterfly.log_moneyness))
    assert worst.calendar.value > 0.0


def test_durrlemans_g_has_the_sign_and_size_of_the_density_from_differences_of_prices() -> None:
    surface = svi.Surface(1.0, 100.0, **VOGT)
    for strike in (40.0, 90.0, 130.0, 240.0, 320.0):
        h = 1e-3 * strike
        nearby = strike + h * np.array([-1.0, 0.0, 1.0])
        low, mid, high = np.asarray(black_76.price("call", 100.0, nearby, 1.0, 0.0, surface.volatility(nearby, 1.0)))
        k = np.array(math.log(strike / 100.0))
        part = formulas.smile(surface.wings[0], k)
        d2 = -k / np.sqrt(part.w) - 0.5 * np.sqrt(part.w)
        density = formulas.density_factor(k, part) * np.exp(-0.5 * d2**2) / np.sqrt(2 * np.pi * part.w) / strike
        assert float(density) == pytest.approx((low - 2 * mid + high) / h**2, rel=1e-3)


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


@settings(max_examples=60, deadline=None)
@given(
    a=st.floats(0.0, 0.1),
    b=st.floats(0.0, 1.2),
    rho=st.floats(-0.95, 0.95),
    m=st.floats(-0.5, 0.5),
    sigma=st.floats(0.01, 1.0),
)
def test_no_point_of_a_fine_grid_is_below_the_margin(a: float, b: float, rho: float, m: float, sigma: float) -> None:
    rows = formulas.to_wings(*(np.array([value]) for value in (a + 1e-3, b, rho, m, sigma)))
    worst = margins.butterfly_margin(np.array([1.0]), rows)
    k = np.linspace(-4.0, 4.0, 20_001)
    g = formulas.density_factor(k, formulas.smile(rows[0], k))
    assert worst.value <= g.min() + 1e-5 * abs(float(g.min()))
    if math.isfinite(worst.log_moneyness):
        at = np.array(worst.log_moneyness)
        assert worst.value == pytest.approx(float(formulas.density_factor(at, formulas.smile(rows[0], at))), rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.floats(1e-3, 0.5), min_size=1, max_size=4),
    rho=st.floats(-0.97, 0.97),
    gamma=st.floats(0.0, 1.0),
    part=st.floats(0.05, 1.0),
)
def test_ssvi_within_its_bounds_is_free_of_arbitrage(steps: list[float], rho: float, gamma: float, part: float) -> None:
    thetas = np.cumsum(steps)
    phis = part * largest_eta(thetas, rho, gamma) * thetas**-gamma
    rows = ssvi_rows(thetas, rho, phis)
    k = np.linspace(-1.0, 1.0, 11)
    # Gatheral and Jacquier, eq. 4.1.
    expected = [
        0.5 * theta * (1 + rho * phi * k + np.sqrt((phi * k + rho) ** 2 + 1 - rho**2))
        for theta, phi in zip(thetas, phis, strict=True)
    ]
    np.testing.assert_allclose([formulas.smile(row, k).w for row in rows], expected, rtol=1e-12)
    times = np.arange(1.0, thetas.size + 1.0)
    assert margins.butterfly_margin(times, rows).value >= 0.0
    assert margins.calendar_margin(times, rows).value >= 0.0


def test_gradients_match_differences() -> None:
    row, k = np.array([0.02, 0.3, 0.1, 0.05, 0.2]), np.array([-0.7, 0.0, 0.3])
    step = 1e-6 * np.eye(5)
    for part in range(3):
        differences = [(formulas.smile(row + h, k)[part] - formulas.smile(row - h, k)[part]) / 2e-6 for h in step]
        np.testing.assert_allclose(formulas.smile_gradients(row, k)[part], np.stack(differences, -1), atol=1e-8)
    raw = np.array([0.02, 0.2, -0.5, 0.05, 0.2])
    differences = [
        (formulas.smile(formulas.to_wings(*(raw + h)), k).w - formulas.smile(formulas.to_wings(*(raw - h)), k).w) / 2e-6
        for h in step
    ]
    np.testing.assert_allclose(formulas.raw_gradients(raw, k), np.stack(differences, -1), atol=1e-8)


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


def test_the_spy_chain_fits_without_arbitrage() -> None:
    quotes = spy_quotes()
    bid, ask = quotes.pop("volatility_bid"), quotes.pop("volatility_ask")
    fitted = svi.fit(**quotes, volatility=0.5 * (bid + ask), spread=ask - bid)
    assert fitted.parametrization == "svi"
    assert fitted.arbitrage.is_free
    # In volatility points: the quotes are some 0.07 wide, five parameters an expiry leave 0.22.
    assert fitted.rmse < 0.0023
    assert np.mean(np.abs(fitted.residual) <= 0.5 * (ask - bid)) > 0.13
    again = fitted.surface.volatility(quotes["strike"], quotes["time_to_expiry"])
    np.testing.assert_allclose(again - 0.5 * (bid + ask), fitted.residual, atol=1e-12)
    assert fitted.surface.arbitrage() == fitted.arbitrage


def test_the_spy_surface_comes_back_from_its_local_volatility() -> None:
    quotes = spy_quotes()
    bid, ask = quotes.pop("volatility_bid"), quotes.pop("volatility_ask")
    surface = svi.fit(**quotes, volatility=0.5 * (bid + ask), spread=ask - bid).surface
    strikes, times, forwards = quotes["strike"], quotes["time_to_expiry"], quotes["forward"]
    kinds = np.where(strikes < forwards, -1, 1)
    prices = local_volatility.from_surface(surface).price(kinds, strikes, times, 0.02)
    found = np.asarray(black_76.implied_volatility(prices, kinds, forwards, strikes, times, 0.02))
    error = found - np.asarray(surface.volatility(strikes, times))
    assert np.abs(error).max() < 3e-5
    assert np.sqrt(np.mean(error**2)) < 3e-6


def test_the_order_of_quotes_does_not_matter() -> None:
    quotes = spy_quotes()
    bid, ask = quotes.pop("volatility_bid"), quotes.pop("volatility_ask")
    fitted = svi.fit(**quotes, volatility=0.5 * (bid + ask), spread=ask - bid)
    order = np.random.default_rng(1).permutation(bid.size)
    shuffled = svi.fit(
        **{name: column[order] for name, column in quotes.items()},
        volatility=0.5 * (bid + ask)[order],
        spread=(ask - bid)[order],
    )
    np.testing.assert_allclose(shuffled.residual, fitted.residual[order], atol=1e-5)


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
    ],
)
def test_quotes_that_cannot_be_fitted_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        svi.fit(**(quotes_of(svi.Surface(**FREE)) | wrong))
