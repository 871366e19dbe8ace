"""Heston prices against published figures, mpmath, QuantLib, Black-Scholes, parity and limits."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import QuantLib

from quantmesh.quant import black_scholes, heston
from quantmesh.quant.errors import DomainError

EQUITY = {"v0": 0.04, "kappa": 2.0, "theta": 0.05, "sigma": 0.5, "rho": -0.7}
# Twice kappa theta is far below sigma squared: the variance reaches zero.
FELLER_VIOLATED = {"v0": 0.04, "kappa": 0.5, "theta": 0.04, "sigma": 1.0, "rho": -0.9}
CALM = {"v0": 0.01, "kappa": 1.0, "theta": 0.09, "sigma": 0.3, "rho": 0.3}
STRIKES = np.linspace(60.0, 160.0, 11)


def characteristic(u: Any, time: Any, v0: Any, kappa: Any, theta: Any, sigma: Any, rho: Any) -> Any:
    """E[exp(iu ln(S_T / F))] as Albrecher et al. (2007) print it."""
    b = kappa - rho * sigma * 1j * u
    d = mpmath.sqrt(b * b + sigma**2 * (u * u + 1j * u))
    g = (b - d) / (b + d)
    e = mpmath.exp(-d * time)
    drift = kappa * theta / sigma**2 * ((b - d) * time - 2 * mpmath.log((1 - g * e) / (1 - g)))
    return mpmath.exp(drift + v0 * (b - d) / sigma**2 * (1 - e) / (1 - g * e))


def integrated_call(strike: float, time: float, farthest: float, **parameters: float) -> float:
    """Lewis (2001), equation 3.11, by Gauss-Legendre quadrature with 25 digits; spot 100, rate 2 %, yield 1 %."""
    with mpmath.workdps(25):
        law = [mpmath.mpf(parameters[name]) for name in ("v0", "kappa", "theta", "sigma", "rho")]
        expiry = mpmath.mpf(time)
        forward = 100 * mpmath.exp(expiry / 100)
        k = mpmath.log(forward / mpmath.mpf(strike))

        def integrand(u: Any) -> Any:
            phi = characteristic(u - 0.5j, expiry, *law)
            return mpmath.re(mpmath.exp(1j * u * k) * phi) / (u * u + 0.25)

        points = [farthest * (mpmath.mpf(i) / 16) ** 2 for i in range(17)]
        integral = mpmath.quad(integrand, points, method="gauss-legendre", maxdegree=5)
        covered = mpmath.sqrt(forward * strike) * integral / mpmath.pi
        return float(mpmath.exp(-expiry / 50) * (forward - covered))


@pytest.mark.parametrize(
    ("strike", "time", "farthest", "parameters"),
    [
        (100.0, 1.0, 120.0, EQUITY),
        (60.0, 1 / 365, 3000.0, EQUITY),
        (101.0, 1 / 365, 3000.0, EQUITY),
        (130.0, 30.0, 60.0, EQUITY),
        (90.0, 0.25, 1000.0, FELLER_VIOLATED),
        (300.0, 10.0, 250.0, FELLER_VIOLATED),
        (80.0, 0.5, 400.0, {**EQUITY, "v0": 0.0}),
        (110.0, 1.0, 500.0, {**EQUITY, "kappa": 0.0}),
        (110.0, 1.0, 700.0, {**EQUITY, "rho": 0.95, "sigma": 1.0}),
        (110.0, 2.0, 800.0, {**CALM, "rho": -1.0}),
        (95.0, 2.0, 800.0, {**CALM, "rho": 1.0}),
        (105.0, 1.0, 60.0, {**EQUITY, "sigma": 1e-4}),
    ],
)
def test_prices_match_25_digits(strike: float, time: float, farthest: float, parameters: dict[str, float]) -> None:
    exact = integrated_call(strike, time, farthest, **parameters)
    assert heston.price("call", 100.0, strike, time, 0.02, 0.01, **parameters) == pytest.approx(exact, abs=1e-10)


@pytest.mark.parametrize(
    ("strike", "time", "parameters"),
    [
        (99.0, 0.1, {"v0": 0.01, "kappa": 0.1, "theta": 0.04, "sigma": 2.0, "rho": -1.0}),
        (90.0, 10.0, {"v0": 0.04, "kappa": 0.1, "theta": 0.04, "sigma": 1.0, "rho": -1.0}),
    ],
)
def test_under_perfect_correlation_prices_match_a_turned_contour(
    strike: float, time: float, parameters: dict[str, float]
) -> None:
    """The characteristic function falls off too slowly to sum: beyond u = 200 the oracle turns off the real axis."""
    with mpmath.workdps(20):
        law = [mpmath.mpf(parameters[name]) for name in ("v0", "kappa", "theta", "sigma", "rho")]
        forward = 100 * mpmath.exp(mpmath.mpf(time) / 100)
        k = mpmath.log(forward / strike)
        drift = k - law[4] * (law[0] + law[1] * law[2] * time) / law[3]
        up = 1j * mpmath.sign(drift)

        def integrand(u: Any) -> Any:
            return mpmath.exp(1j * u * k) * characteristic(u - 0.5j, mpmath.mpf(time), *law) / (u * u + 0.25)

        along = mpmath.quad(lambda u: mpmath.re(integrand(u)), [200 * (mpmath.mpf(i) / 20) ** 2 for i in range(21)])
        height = 60 / abs(drift)
        points = [height * (mpmath.mpf(i) / 12) ** 2 for i in range(13)]
        beyond = mpmath.quad(lambda y: mpmath.re(integrand(200 + up * y) * up), points)
        covered = mpmath.sqrt(forward * strike) * (along + beyond) / mpmath.pi
        exact = float(mpmath.exp(-mpmath.mpf(time) / 50) * (forward - covered))
    assert heston.price("call", 100.0, strike, time, 0.02, 0.01, **parameters) == pytest.approx(exact, abs=1e-10)


def test_prices_match_the_table_of_lewis() -> None:
    """A. Lewis, "Option Valuation under Stochastic Volatility II" (2016), with 15 digits."""
    table = [
        (80.0, 7.958878113256768, 26.774758743998854),
        (90.0, 12.017966707346304, 20.933349000596710),
        (100.0, 17.055270961270109, 16.070154917028834),
        (110.0, 23.017825898442800, 12.132211516709845),
        (120.0, 29.811026202682471, 9.024913483457836),
    ]
    law = {"v0": 0.04, "kappa": 4.0, "theta": 0.25, "sigma": 1.0, "rho": -0.5}
    for strike, put, call in table:
        prices = heston.price(["put", "call"], 100.0, strike, 1.0, 0.01, 0.02, **law)
        np.testing.assert_allclose(prices, [put, call], rtol=0, atol=1e-11)


@pytest.mark.parametrize("parameters", [EQUITY, FELLER_VIOLATED, CALM])
def test_a_surface_matches_quantlib(parameters: dict[str, float]) -> None:
    days = np.array([1, 7, 30, 182, 730, 3650])
    ours = heston.price("put", 100.0, STRIKES, days[:, None] / 365, 0.03, 0.01, **parameters)
    np.testing.assert_allclose(ours, quantlib_puts(days, parameters), rtol=0, atol=1e-9)


def quantlib_puts(days: np.ndarray, parameters: dict[str, float]) -> np.ndarray:
    """Adaptive quadrature to 1e-11."""
    today = QuantLib.Date(2, 1, 2025)
    QuantLib.Settings.instance().evaluationDate = today
    curves = [
        QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, level, QuantLib.Actual365Fixed()))
        for level in (0.03, 0.01)
    ]
    spot = QuantLib.QuoteHandle(QuantLib.SimpleQuote(100.0))
    law = (parameters[name] for name in ("v0", "kappa", "theta", "sigma", "rho"))
    model = QuantLib.HestonModel(QuantLib.HestonProcess(*curves, spot, *law))
    engine = QuantLib.AnalyticHestonEngine(model, 1e-11, 100_000)
    prices = []
    for count in days:
        for strike in STRIKES:
            payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Put, float(strike))
            option = QuantLib.VanillaOption(payoff, QuantLib.EuropeanExercise(today + int(count)))
            option.setPricingEngine(engine)
            prices.append(option.NPV())
    return np.array(prices).reshape(days.size, STRIKES.size)


@pytest.mark.parametrize(("sigma", "tolerance"), [(0.0, 3e-11), (1e-9, 1e-7)])
def test_without_volatility_of_variance_it_is_black_scholes(sigma: float, tolerance: float) -> None:
    time = np.array([[1e-9], [1 / 365], [0.5], [20.0]])
    remembered = -np.expm1(-1.5 * time) / 1.5
    volatility = np.sqrt((0.09 * remembered + 0.03 * (time - remembered)) / time)
    law = {"v0": 0.09, "kappa": 1.5, "theta": 0.03, "sigma": sigma, "rho": -0.4}
    for option_type in ("call", "put"):
        ours = heston.price(option_type, 100.0, STRIKES, time, -0.01, 0.02, **law)
        exact = black_scholes.price(option_type, 100.0, STRIKES, time, -0.01, 0.02, volatility)
        np.testing.assert_allclose(ours, exact, rtol=0, atol=tolerance)


def test_at_the_money_a_price_keeps_its_digits_when_time_runs_out() -> None:
    for time in (1e-6, 1e-12, 1e-20):
        ours = heston.price("call", 100.0, 100.0, time, 0.0, 0.0, **EQUITY)
        assert ours == pytest.approx(100.0 * math.sqrt(0.04 * time / (2.0 * math.pi)), rel=0.2 * time + 1e-11)


def test_calls_and_puts_are_in_parity() -> None:
    time = np.array([[0.01], [1.0], [15.0]])
    call = heston.price("call", 100.0, STRIKES, time, 0.04, 0.02, **FELLER_VIOLATED)
    put = heston.price("put", 100.0, STRIKES, time, 0.04, 0.02, **FELLER_VIOLATED)
    parity = 100.0 * np.exp(-0.02 * time) - STRIKES * np.exp(-0.04 * time)
    np.testing.assert_allclose(np.asarray(call) - put, parity, rtol=0, atol=1e-12)


def test_prices_fall_with_the_strike_and_are_convex_and_homogeneous() -> None:
    strikes = np.linspace(20.0, 400.0, 191)
    calls = np.asarray(heston.price("call", 100.0, strikes, 2.0, 0.03, 0.0, **FELLER_VIOLATED))
    assert (np.diff(calls) < 0.0).all()
    assert (np.diff(calls, 2) > -1e-11).all()
    thousandfold = np.asarray(heston.price("call", 1e5, 1e3 * strikes, 2.0, 0.03, 0.0, **FELLER_VIOLATED))
    np.testing.assert_allclose(thousandfold, 1e3 * calls, rtol=0, atol=1e-8)


def test_nothing_left_to_chance_leaves_the_intrinsic_value() -> None:
    assert heston.price("call", 105.0, 100.0, 0.0, 0.03, 0.01, **EQUITY) == 5.0
    calm = {**EQUITY, "v0": 0.0, "theta": 0.0}
    exact = 105.0 * math.exp(-0.01) - 100.0 * math.exp(-0.03)
    assert heston.price("call", 105.0, 100.0, 1.0, 0.03, 0.01, **calm) == pytest.approx(exact, abs=1e-13)
    assert heston.price("put", 105.0, 100.0, 1.0, 0.03, 0.01, **calm) == 0.0


def test_far_wings_and_zero_amounts_have_their_limits() -> None:
    assert heston.price("call", 100.0, 0.0, 1.0, 0.03, 0.01, **EQUITY) == pytest.approx(100.0 * math.exp(-0.01))
    assert heston.price("put", 0.0, 100.0, 1.0, 0.03, 0.01, **EQUITY) == pytest.approx(100.0 * math.exp(-0.03))
    assert heston.price("call", 0.0, 100.0, 1.0, 0.03, 0.01, **EQUITY) == 0.0
    assert heston.price("put", 100.0, 0.0, 1.0, 0.03, 0.01, **EQUITY) == 0.0
    assert heston.price("call", 100.0, 1e60, 1.0, 0.03, 0.01, **EQUITY) == 0.0
    assert heston.price("put", 100.0, 1e60, 1.0, 0.0, 0.01, **EQUITY) == pytest.approx(1e60, rel=1e-15)


def test_rows_may_come_in_any_order_and_shape() -> None:
    generator = np.random.default_rng(5)
    strike, time = generator.uniform(70.0, 130.0, 60), generator.choice([0.1, 0.5, 2.0], 60)
    v0, rho = generator.choice([0.02, 0.06], 60), generator.choice([-0.6, 0.1], 60)
    law: dict[str, Any] = {**EQUITY, "v0": v0, "rho": rho}
    together = np.asarray(heston.price("call", 100.0, strike, time, 0.02, 0.0, **law))
    apart = [
        heston.price("call", 100.0, strike[i], time[i], 0.02, 0.0, **{**EQUITY, "v0": v0[i], "rho": rho[i]})
        for i in range(60)
    ]
    np.testing.assert_allclose(together, np.array(apart), rtol=0, atol=2e-10)
    square = heston.price("call", 100.0, strike.reshape(6, 10), time.reshape(6, 10), 0.02, 0.0, **EQUITY)
    assert np.shape(square) == (6, 10)
    assert np.shape(heston.price("call", 100.0, [], 1.0, 0.02, 0.0, **EQUITY)) == (0,)
    assert isinstance(heston.price(1, 100.0, 100.0, 1.0, 0.02, 0.0, **EQUITY), float)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("rho", 1.01), ("sigma", -0.1), ("v0", math.nan), ("theta", -1e-9), ("kappa", math.inf)],
)
def test_a_parameter_outside_its_domain_is_named(argument: str, value: float) -> None:
    with pytest.raises(DomainError, match=argument) as caught:
        heston.price("call", 100.0, 100.0, 1.0, 0.02, 0.0, **{**EQUITY, argument: value})
    assert caught.value.argument == argument


def test_the_row_of_a_wrong_argument_is_named() -> None:
    with pytest.raises(DomainError, match=r"strike\[2\]"):
        heston.price("call", 100.0, [90.0, 100.0, -1.0], [1.0, 2.0, 0.5], 0.02, 0.0, **EQUITY)
    with pytest.raises(DomainError, match="rate"):
        heston.greeks("call", 100.0, 90.0, 100.0, 5.0, 0.0, **EQUITY)


def test_a_strike_where_a_perfectly_correlated_spot_ends_is_refused() -> None:
    """ln(F / K) = rho (v0 + kappa theta T) / sigma: the characteristic function neither falls off nor turns."""
    wild = {"v0": 0.01, "kappa": 1.0, "theta": 0.01, "sigma": 2.0, "rho": 1.0}
    with pytest.raises(DomainError, match="rho must be farther from -1 and 1"):
        heston.price("call", 100.0, [90.0, 100.0], 1.0, 0.01, 0.0, **wild)
    # Below its end there is no spot: a put is worth nothing.
    assert heston.price("put", 100.0, 90.0, 1.0, 0.01, 0.0, **wild) == pytest.approx(0.0, abs=1e-10)
