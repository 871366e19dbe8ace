"""The parts of the quadrature: exponents against 40 digits, kernels against their twins, moments and the bound."""

import cmath
import math
from typing import Any

import mpmath
import numpy as np
import pytest

from quantmesh.quant import _heston_elementary as elementary
from quantmesh.quant import _heston_elementary_kernels as branch_free
from quantmesh.quant import _heston_formulas as formulas
from quantmesh.quant import _heston_moments as moments
from quantmesh.quant import bates, heston
from quantmesh.quant._heston_moments import Law

LAWS = [
    Law(1.0, 0.04, 2.0, 0.05, 0.5, -0.7, 0.6, -0.1, 0.15),
    Law(10.0, 0.04, 0.5, 0.04, 1.0, -0.9, 0.0, 0.0, 0.0),
    Law(0.003, 0.01, 1.0, 0.09, 0.3, 0.3, 3.0, 0.05, 0.0),
    Law(2.0, 0.09, 0.1, 0.02, 1e-3, 0.5, 0.2, -0.3, 0.3),
    Law(0.5, 0.02, 0.0, 0.0, 0.4, 1.0, 0.0, 0.0, 0.0),
]


def exact_exponent(power: Any, law: Any) -> Any:
    """ln E[(S_T / F)^power]: Albrecher et al. (2007), and Merton (1976) for the jumps."""
    time, v0, kappa, theta, sigma, rho, intensity, mean, volatility = law
    u = -1j * power
    b = kappa - rho * sigma * power
    d = mpmath.sqrt(b * b + sigma**2 * (u * u + 1j * u))
    g = (b - d) / (b + d)
    e = mpmath.exp(-d * time)
    diffusion = kappa * theta / sigma**2 * ((b - d) * time - 2 * mpmath.log((1 - g * e) / (1 - g))) + v0 * (
        b - d
    ) / sigma**2 * (1 - e) / (1 - g * e)
    growth = mpmath.expm1(mean + volatility**2 / 2)
    jump = mpmath.exp(power * mean + power**2 * volatility**2 / 2) - 1 - power * growth
    return diffusion + intensity * time * jump


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("u", [0.0, 0.7, 20.0, 300.0])
def test_exponents_and_their_gradients_match_40_digits(law: Law, u: float) -> None:
    psi, *by_diffusion, by_time = formulas.exponent_and_gradients(u, *law[:6])
    assert cmath.isclose(formulas.exponent(u, *law[:6]), psi, rel_tol=1e-12)
    yearly, *by_jumps = formulas.jump_exponent_and_gradients(u, *law[6:])
    with mpmath.workdps(40):
        exact = [mpmath.mpf(value) for value in law]
        power = mpmath.mpf(0.5) + 1j * mpmath.mpf(u)
        assert cmath.isclose(psi + law.time * yearly, complex(exact_exponent(power, exact)), rel_tol=1e-10)
        ours = [by_time + yearly, *by_diffusion, *(law.time * slope for slope in by_jumps)]
        for index, slope in enumerate(ours):

            def moved(value: Any, index: int = index) -> Any:
                return exact_exponent(power, [*exact[:index], value, *exact[index + 1 :]])

            # At a parameter's end the difference is one-sided.
            side = -1 if law[index] == 1.0 and Law._fields[index] == "rho" else 1
            derivative = mpmath.diff(moved, exact[index], h=mpmath.mpf(10) ** -15, direction=side)
            assert cmath.isclose(slope, complex(derivative), rel_tol=1e-7, abs_tol=1e-12), Law._fields[index]


@pytest.mark.parametrize("small", [0.0199, 0.0201])
def test_series_meet_the_quotients_that_they_stand_in_for(small: float) -> None:
    w = small * cmath.exp(0.4j)
    with mpmath.workdps(40):
        exact = mpmath.diff(lambda w: mpmath.tanh(mpmath.sqrt(w)) / mpmath.sqrt(w), mpmath.mpc(w))
        f = complex(mpmath.tanh(mpmath.sqrt(w)) / mpmath.sqrt(w))
        assert cmath.isclose(formulas.ratio_slope(w, f), complex(exact), rel_tol=1e-12)
        y = mpmath.mpc(w)
        excess = (1 / (1 - y) + mpmath.log(1 - y) / y) / y
        assert cmath.isclose(formulas.logarithm_excess(w, cmath.log(1.0 - w)), complex(excess), rel_tol=1e-12)


def test_branch_free_functions_agree_with_their_twins() -> None:
    generator = np.random.default_rng(3)
    for size in (1e-8, 0.1, 1.0, 30.0):
        for x, y in size * generator.standard_normal((40, 2)):
            z = complex(x, y)
            inside = complex(max(abs(x), abs(y)), y)
            assert cmath.isclose(branch_free._exponential(z), elementary.exponential(z), rel_tol=1e-14)
            assert cmath.isclose(branch_free._square_root(inside), elementary.square_root(inside), rel_tol=1e-15)
            assert cmath.isclose(
                branch_free._half_hyperbolic_tangent(inside), elementary.half_hyperbolic_tangent(inside), rel_tol=1e-14
            )
            assert cmath.isclose(
                branch_free._logarithm_of_one_plus(z),
                elementary.logarithm_of_one_plus(z),
                rel_tol=1e-14,
                abs_tol=1e-15,
            )
            assert cmath.isclose(branch_free._quotient(z, inside), elementary.quotient(z, inside), rel_tol=1e-15)
    for angle in (0.0, 0.5 * math.pi, math.pi, -math.pi, 1e5, -7.3):
        assert branch_free._exponential(complex(0.0, angle)) == pytest.approx(
            cmath.exp(1j * angle), rel=1e-14, abs=1e-15
        )


def integral(law: Law, k: float, weigh: Any) -> float:
    """By the same rule on a finer grid than any that the kernel takes, in plain Python."""
    step, total = 0.05, 0.0
    for j in range(12_000):
        u = j * step
        jumps = law.time * formulas.jump_exponent_and_gradients(u, *law[6:])[0]
        phi = cmath.exp(formulas.exponent(u, *law[:6]) + jumps)
        total += (0.5 if j == 0 else 1.0) * (cmath.exp(1j * u * k) * phi * weigh(u)).real
    return total * step / math.pi


def test_kernels_agree_with_their_python_twins() -> None:
    law = LAWS[0]
    names = dict(zip(Law._fields[1:], law[1:], strict=True))
    k = -0.2
    contract = ("call", 100.0, 100.0 * math.exp(-k), law.time, 0.0, 0.0)
    scale = 100.0 * math.exp(-0.5 * k)
    call = 100.0 - scale * integral(law, k, lambda u: 1.0 / (u * u + 0.25))
    assert bates.price(*contract, **names) == pytest.approx(call, abs=1e-10)
    gradients = bates.parameter_gradients(*contract, **names)
    by_sigma = integral(law, k, lambda u: formulas.exponent_and_gradients(u, *law[:6])[4] / (u * u + 0.25))
    assert gradients.sigma == pytest.approx(-scale * by_sigma, abs=1e-10)
    by_mean = integral(law, k, lambda u: formulas.jump_exponent_and_gradients(u, *law[6:])[2] / (u * u + 0.25))
    assert gradients.jump_mean == pytest.approx(-scale * law.time * by_mean, abs=1e-10)
    density = integral(law, k, lambda _: 1.0)
    assert bates.greeks(*contract, **names).gamma == pytest.approx(scale * density / 1e4, abs=1e-12)


@pytest.mark.parametrize("jumps", [(60.0, -0.1, 0.0), (3.0, 0.2, 0.1), (1.0, 0.0, 0.5)])
def test_the_modulus_never_rises_above_what_the_swing_of_jumps_allows(jumps: tuple[float, float, float]) -> None:
    nodes = np.linspace(0.0, 120.0, 1201)
    for law in LAWS:
        jumping = [
            formulas.exponent(u, *law[:6]).real + law.time * formulas.jump_exponent_and_gradients(u, *jumps)[0].real
            for u in nodes
        ]
        highest_later = np.maximum.accumulate(jumping[::-1])[::-1]
        allowed = np.array(jumping) + [law.time * formulas.jump_swing(u, *jumps) for u in nodes]
        assert (highest_later <= allowed + 1e-12 * np.abs(allowed)).all()


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("power", [-3.0, -0.5, 0.3, 0.9, 1.7])
def test_moments_match_40_digits(law: Law, power: float) -> None:
    with mpmath.workdps(40):
        exact = exact_exponent(mpmath.mpf(power), [mpmath.mpf(value) for value in law])
    ours = moments.log_moment(power, law)
    assert math.isinf(ours) or ours == pytest.approx(float(mpmath.re(exact)), rel=1e-7, abs=1e-12)
    assert not math.isinf(ours) or power not in {0.3, 0.9}


def test_moments_explode_when_they_should() -> None:
    """Andersen and Piterbarg (2007), proposition 3.1, at beta < 0 < discriminant and at a negative discriminant."""
    wild = LAWS[0]._replace(jump_intensity=0.0, sigma=1.0, rho=0.9, kappa=0.5)
    for power in (3.0, 12.0, -6.0):
        beta = 0.9 * power - 0.5
        growth = power * (power - 1.0)
        discriminant = beta * beta - growth
        if discriminant >= 0.0:
            root = math.sqrt(discriminant)
            explosion = math.log((beta + root) / (beta - root)) / root if beta > 0.0 else math.inf
        else:
            root = math.sqrt(-discriminant)
            explosion = 2.0 / root * (math.pi * (beta < 0.0) + math.atan(root / beta))
        before, after = (wild._replace(time=factor * min(explosion, 100.0)) for factor in (0.99, 1.01))
        assert math.isfinite(moments.log_moment(power, before))
        assert math.isinf(moments.log_moment(power, after)) == math.isfinite(explosion)


@pytest.mark.parametrize("law", LAWS[:4])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_prices_stay_below_the_bound_and_near_it(law: Law, side: float) -> None:
    names = dict(zip(Law._fields[1:], law[1:], strict=True))
    for precision in (3.0, 6.0, 12.0):
        reach = moments.reach(side, precision, moments.expected_variance(law), law)
        for distance in (reach, 1.3 * reach):
            strike = math.exp(side * distance)
            price = bates.price(int(side), 1.0, strike, law.time, 0.0, 0.0, **names)
            assert price / math.sqrt(strike) <= math.exp(-precision)
    # Well before the last one they are not below it yet.
    strike = math.exp(0.4 * side * reach)
    price = bates.price(int(side), 1.0, strike, law.time, 0.0, 0.0, **names)
    assert price / math.sqrt(strike) > math.exp(-precision)


def test_expected_variance_is_what_the_log_contract_is_worth() -> None:
    """ln E[(S / F)^p] falls at p = 0 with half the variance of the diffusion."""
    law = LAWS[0]._replace(jump_intensity=0.0)
    slope = (moments.log_moment(1e-5, law) - moments.log_moment(-1e-5, law)) / 2e-5
    assert moments.expected_variance(law) == pytest.approx(-2.0 * slope, rel=1e-6)
    jumping = moments.expected_variance(LAWS[0]) - moments.expected_variance(law)
    assert jumping == pytest.approx(0.6 * (0.1**2 + 0.15**2), rel=1e-12)


def test_a_still_variance_costs_no_digit() -> None:
    for kappa in (0.0, 1e-9, 3.0):
        still = {"v0": 0.04, "kappa": kappa, "theta": 0.04, "sigma": 0.0, "rho": -0.5}
        flat = heston.price("call", 100.0, 110.0, 1.0, 0.0, 0.0, **still)
        assert flat == pytest.approx(4.292010941409885, rel=1e-11)
