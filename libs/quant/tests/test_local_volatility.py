"""Local volatility: repricing, Dupire's quotient by differences of prices, Heston by QuantLib, paths."""

import math
from typing import Any

import numpy as np
import pytest
import QuantLib

from quantmesh.quant import _local_volatility_formulas as formulas
from quantmesh.quant import _local_volatility_kernels as kernels
from quantmesh.quant import american, black_76, black_scholes, local_volatility, svi
from quantmesh.quant.errors import DomainError

SKEWED = svi.Surface(
    time_to_expiry=[0.1, 0.5, 1.5],
    forward=[100.5, 102.0, 105.0],
    a=[0.001, 0.006, 0.02],
    b=[0.03, 0.06, 0.09],
    rho=[-0.6, -0.5, -0.4],
    m=[0.01, 0.02, 0.05],
    sigma=[0.06, 0.15, 0.25],
    spot=100.0,
)
FLAT = svi.Surface([0.5, 1.0], 100.0 * np.exp(0.02 * np.array([0.5, 1.0])), [0.02, 0.04], 0, 0, 0, 0.1, spot=100.0)


def strikes_and_times(surface: svi.Surface, deviations: float = 3.0) -> tuple[Any, Any, Any]:
    times = np.repeat(surface.time_to_expiry, 25)
    forwards = np.asarray(surface.forward_at(times))
    spread = np.tile(np.linspace(-deviations, deviations, 25), surface.time_to_expiry.size)
    at_the_money = np.asarray(surface.volatility(forwards, times)) * np.sqrt(times)
    return forwards * np.exp(spread * at_the_money), times, forwards


def implied(prices: Any, kinds: Any, forwards: Any, strikes: Any, times: Any, rate: float) -> Any:
    return np.asarray(black_76.implied_volatility(prices, kinds, forwards, strikes, times, rate))


def test_the_surface_comes_back_within_a_twentieth_of_a_basis_point() -> None:
    strikes, times, forwards = strikes_and_times(SKEWED)
    kinds = np.where(strikes < forwards, -1, 1)
    prices = local_volatility.from_surface(SKEWED).price(kinds, strikes, times, 0.03)
    found = implied(prices, kinds, forwards, strikes, times, 0.03)
    assert np.abs(found - SKEWED.volatility(strikes, times)).max() < 5e-6


def test_a_smile_with_one_wing_alone_comes_back_on_both_sides() -> None:
    surface = svi.Surface(
        [0.188, 0.329], 100.0, [0.00099, 0.00052], [0.0375, 0.0415], [-1.0, -0.9236], [0.0469, 0.0666], [0.0103, 0.0309]
    )
    strikes = np.array([70.0, 80.0, 90.0, 100.0, 108.0])
    for kind in ("call", "put"):
        prices = local_volatility.from_surface(surface).price(kind, strikes, 0.329, 0.0)
        expected = black_76.price(kind, 100.0, strikes, 0.329, 0.0, surface.volatility(strikes, 0.329))
        np.testing.assert_allclose(prices, expected, atol=1e-5)


def test_expiries_between_slices_come_back_too() -> None:
    strikes, times = np.array([80.0, 100.0, 125.0]), np.array([0.03, 0.3, 1.0])
    prices = local_volatility.from_surface(SKEWED).price("call", strikes, times, 0.0)
    forwards = SKEWED.forward_at(times)
    expected = black_76.price("call", forwards, strikes, times, 0.0, SKEWED.volatility(strikes, times))
    np.testing.assert_allclose(prices, expected, atol=3e-5)


def test_volatility_is_dupires_quotient_of_differences_of_prices() -> None:
    model = local_volatility.from_surface(SKEWED)

    def call(y: float, time: float) -> float:
        """In units of the forward, so that only the diffusion moves it."""
        volatility = SKEWED.volatility(y * float(SKEWED.forward_at(time)), time)
        return float(black_76.price("call", 1.0, y, time, 0.0, volatility))

    for strike, time in ((85.0, 0.3), (100.0, 0.05), (104.0, 0.8), (130.0, 1.2)):
        y, h, dt = strike / float(SKEWED.forward_at(time)), 2e-3, 1e-4
        by_time = (call(y, time + dt) - call(y, time - dt)) / (2 * dt)
        by_strike = (call(y + h, time) - 2 * call(y, time) + call(y - h, time)) / h**2
        expected = math.sqrt(2 * by_time / (y * y * by_strike))
        assert model.volatility(strike, time) == pytest.approx(expected, rel=2e-3)


def test_a_flat_surface_has_one_local_volatility_and_the_prices_of_black_and_scholes() -> None:
    model = local_volatility.from_surface(FLAT)
    np.testing.assert_allclose(model.volatilities, 0.2, rtol=1e-12)
    assert model.volatility(123.0, 0.7) == pytest.approx(0.2, rel=1e-12)
    strikes, times, _ = strikes_and_times(FLAT)
    prices = model.price("put", strikes, times, 0.05)
    expected = black_scholes.price("put", 100.0, strikes, times, 0.05, 0.03, 0.2)
    np.testing.assert_allclose(prices, expected, atol=2e-5)


def test_a_surface_through_heston_prices_of_quantlib_reprices_them() -> None:
    today = QuantLib.Date(1, 1, 2026)
    QuantLib.Settings.instance().evaluationDate = today
    zero = QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, 0.0, QuantLib.Actual365Fixed()))
    spot = QuantLib.QuoteHandle(QuantLib.SimpleQuote(100.0))
    process = QuantLib.HestonProcess(zero, zero, spot, 0.04, 1.5, 0.05, 0.5, -0.6)
    engine = QuantLib.AnalyticHestonEngine(QuantLib.HestonModel(process), 160)
    rows = []
    for days in (73, 182, 365):
        deviation = 0.2 * math.sqrt(days / 365)
        for strike in 100.0 * np.exp(np.linspace(-2.0, 1.5, 15) * deviation):
            payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Call, float(strike))
            option = QuantLib.VanillaOption(payoff, QuantLib.EuropeanExercise(today + days))
            option.setPricingEngine(engine)
            rows.append((strike, days / 365, option.NPV()))
    strikes, times, prices = np.array(rows).T
    volatilities = implied(prices, "call", 100.0, strikes, times, 0.0)
    fitted = svi.fit(strikes, times, volatilities, 100.0)
    assert fitted.rmse < 1e-3
    repriced = local_volatility.from_surface(fitted.surface).price("call", strikes, times, 0.0)
    found = implied(repriced, "call", 100.0, strikes, times, 0.0)
    # What the diffusion adds to the error of the fit is next to nothing.
    assert np.abs(found - volatilities - fitted.residual).max() < 5e-6
    assert np.abs(found - volatilities).max() < 4e-3


def test_paths_through_the_table_reprice_the_surface_within_their_error() -> None:
    model = local_volatility.from_surface(SKEWED)
    generator = np.random.default_rng(12)
    paths, steps, end = 20_000, 60, 0.5
    x = np.zeros(paths)
    for i in range(steps):
        time, dt = end * (i + 0.5) / steps, end / steps
        row = np.array([np.interp(time, model.times, column) for column in model.volatilities.T])
        spots = np.exp(x) * float(SKEWED.forward_at(time))
        variance = np.interp(np.log(spots), np.log(model.spots), row) ** 2 * dt
        half = generator.standard_normal(paths // 2)
        x += -0.5 * variance + np.sqrt(variance) * np.concatenate([half, -half])
    forward = float(SKEWED.forward_at(end))
    for strike in (85.0, 102.0, 115.0):
        gains = np.maximum(forward * np.exp(x) - strike, 0.0).reshape(2, -1).mean(0)
        expected = black_76.price("call", forward, strike, end, 0.0, SKEWED.volatility(strike, end))
        # Three standard errors, and the bias of 60 steps.
        assert gains.mean() == pytest.approx(expected, abs=3 * gains.std() / math.sqrt(paths / 2) + 0.02)


def test_american_prices_agree_with_the_spectral_engine_on_a_flat_surface() -> None:
    model = local_volatility.from_surface(FLAT)
    strikes = np.array([70.0, 90.0, 100.0, 110.0, 120.0])
    for kind in ("call", "put"):
        prices = model.price(kind, strikes, 1.0, 0.05, exercise="american")
        expected = american.price(kind, 100.0, strikes, 1.0, 0.05, 0.03, 0.2, accuracy="high_precision")
        np.testing.assert_allclose(prices, expected, atol=5e-5)


def test_early_exercise_is_worth_something_where_the_strike_earns_interest() -> None:
    model = local_volatility.from_surface(SKEWED)
    strikes = np.array([90.0, 100.0, 115.0])
    held = model.price("put", strikes, 1.5, 0.06)
    american_puts = np.asarray(model.price("put", strikes, 1.5, 0.06, exercise="american"))
    assert (american_puts > np.asarray(held) + 0.01).all()
    assert (american_puts >= strikes - 100.0).all()
    # A call on a spot that earns as much as the cash is not exercised early.
    unpaid = model.price("call", strikes, 1.5, math.log(1.05) / 1.5 + 0.01, exercise="american")
    np.testing.assert_allclose(unpaid, model.price("call", strikes, 1.5, math.log(1.05) / 1.5 + 0.01), atol=2e-4)


def test_far_strikes_are_exercised_when_it_is_best() -> None:
    model = local_volatility.from_surface(SKEWED)
    # The forward outgrows a rate of 3 % for half a year.
    best = 102.0 * math.exp(-0.03 * 0.5)
    calls = np.asarray(model.price("call", [1e-6, 1.0, 1e6], 1.5, 0.03, exercise="american"))
    np.testing.assert_allclose(calls, [best, best - math.exp(-0.015), 0.0], atol=2e-3)
    puts = np.asarray(model.price("put", [1e-6, 1000.0], 1.5, 0.03, exercise="american"))
    np.testing.assert_allclose(puts, [0.0, 900.0], atol=1e-6)


def test_days_to_expiry_come_back_beside_years() -> None:
    times = np.repeat([1 / 365, 7 / 365, 1.5], 9)
    forwards = np.asarray(SKEWED.forward_at(times))
    deviations = np.asarray(SKEWED.volatility(forwards, times)) * np.sqrt(times)
    strikes = forwards * np.exp(np.tile(np.linspace(-2.5, 2.5, 9), 3) * deviations)
    kinds = np.where(strikes < forwards, -1, 1)
    prices = local_volatility.from_surface(SKEWED).price(kinds, strikes, times, 0.0)
    found = implied(prices, kinds, forwards, strikes, times, 0.0)
    assert np.abs(found - SKEWED.volatility(strikes, times)).max() < 5e-5


def test_parity_holds_and_far_strikes_and_no_time_have_their_right_prices() -> None:
    model = local_volatility.from_surface(SKEWED)
    strikes = np.array([1e-6, 60.0, 100.0, 200.0, 1e6])
    calls, puts = (np.asarray(model.price(kind, strikes, 1.0, 0.02)) for kind in ("call", "put"))
    forward, discount = float(SKEWED.forward_at(1.0)), math.exp(-0.02)
    np.testing.assert_allclose(calls - puts, discount * (forward - strikes), rtol=1e-10)
    assert calls[-1] == 0.0
    assert puts[0] == pytest.approx(0.0, abs=1e-12)
    assert model.price("call", 90.0, 0.0, 0.02) == pytest.approx(10.0)
    assert model.price("put", 90.0, 0.0, 0.02, exercise="american") == 0.0
    assert np.shape(model.price("put", strikes[:, None], [0.5, 1.0], 0.0)) == (5, 2)
    assert np.shape(model.price("put", np.array([]), 0.5, 0.0)) == (0,)


def test_the_kernel_agrees_with_its_python_twin() -> None:
    y = np.exp(np.linspace(-0.5, 0.5, 15))
    variances, lengths = np.full((6, 15), 0.04) * np.linspace(0.5, 2.0, 15), np.full(6, 0.05)
    answers = []
    for march in (formulas.march, kernels.march):
        outputs = np.zeros((7, 15))
        outputs[0] = np.maximum(1.0 - y, 0.0)
        work = (np.zeros((3, 15)), np.zeros((5, 15)))
        march(y, variances, lengths, 2, 0.03, -1.0, 1.0, np.ones(7), True, *work, outputs)
        answers.append(outputs)
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-12, atol=1e-16)
    assert (answers[0][-1] >= np.maximum(1.0 - y, 0.0)).all()


def test_the_table_ascends_and_stands_where_the_formula_does() -> None:
    model = local_volatility.from_surface(SKEWED)
    assert model.volatilities.shape == (model.times.size, model.spots.size)
    assert (np.diff(model.times) > 0).all()
    assert (np.diff(model.spots) > 0).all()
    assert (model.times[0], model.times[-1]) == (0.0, 1.5)
    assert model.volatilities[10, 80] == pytest.approx(model.volatility(model.spots[80], model.times[10]), rel=1e-12)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"strike": 0.0}, r"^strike must be a positive number, got 0"),
        ({"time_to_expiry": 2.0}, r"^time_to_expiry must be .*0 to 1.5, the surface's last expiry, got 2"),
        ({"time_to_expiry": [1.0, math.nan]}, r"^time_to_expiry\[1\] must be"),
        ({"rate": math.inf}, r"^rate must be"),
        ({"option_type": "both"}, r"^option_type must be"),
        ({"exercise": "bermudan"}, r"^exercise must be \"european\" or \"american\", got 'bermudan'"),
    ],
)
def test_arguments_outside_their_domain_are_named(wrong: dict[str, Any], message: str) -> None:
    contract: dict[str, Any] = {"option_type": "call", "strike": 100.0, "time_to_expiry": 1.0, "rate": 0.0}
    with pytest.raises(DomainError, match=message):
        local_volatility.from_surface(SKEWED).price(**(contract | wrong))


def test_a_surface_with_arbitrage_has_no_local_volatility() -> None:
    crossing = svi.Surface([0.5, 1.0], [100.0, 100.0], [0.05, 0.04], 0, 0, 0, 0.1)
    with pytest.raises(DomainError, match=r"^surface must be free of arbitrage, got a calendar margin of -0.02"):
        local_volatility.from_surface(crossing)
    with pytest.raises(DomainError, match=r"^spot must be a positive number"):
        local_volatility.from_surface(FLAT).volatility(-1.0, 0.5)
    with pytest.raises(DomainError, match=r"^time\[1\] must be"):
        local_volatility.from_surface(FLAT).volatility(100.0, [0.5, 1.5])
