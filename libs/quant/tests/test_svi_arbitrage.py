"""SVI's margins to arbitrage against published smiles, densities by differences of prices, and fine grids."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quantmesh.quant import _svi_formulas as formulas
from quantmesh.quant import _svi_margins as margins
from quantmesh.quant import black_76, svi
from quantmesh.quant._ssvi import largest_eta, ssvi_rows

# Axel Vogt's example in Gatheral and Jacquier, "Arbitrage-free SVI volatility surfaces" (2014), section 3.
VOGT = {"a": -0.0410, "b": 0.1331, "rho": 0.3060, "m": 0.3586, "sigma": 0.4153}


def test_vogts_smile_has_a_butterfly() -> None:
    worst = svi.Surface(1.0, 100.0, **VOGT).arbitrage()
    assert not worst.is_free
    # The paper plots a g that is negative there.
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
# With gamma at 1 the wings are parallel, and but for rounding their slopes are the same.
@example(steps=[0.39453125, 0.5], rho=0.0, gamma=1.0, part=1.0)
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


def test_a_later_wing_that_is_flatter_by_more_than_rounding_is_an_arbitrage_far_out() -> None:
    thetas = np.array([0.04, 0.09])
    rows = ssvi_rows(thetas, -0.3, 0.2 / thetas)
    times = np.array([1.0, 2.0])
    assert margins.calendar_margin(times, rows).value >= 0.0
    for side, end in ((1, -math.inf), (2, math.inf)):
        flatter = rows.copy()
        flatter[1, side] *= 1.0 - 1e-12
        assert margins.calendar_margin(times, flatter)[:2] == (-math.inf, end)


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
