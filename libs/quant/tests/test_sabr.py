"""SABR's volatilities against QuantLib, mpmath, each other's prices, limits and differences."""

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import QuantLib

from quantmesh.quant import _sabr_formulas as formulas
from quantmesh.quant import black_76, sabr
from quantmesh.quant.errors import DomainError

LAW = {"alpha": 0.06, "beta": 0.5, "rho": -0.4, "nu": 0.5}
LAWS = [
    LAW,
    {"alpha": 0.2, "beta": 1.0, "rho": 0.3, "nu": 0.8},
    {"alpha": 0.012, "beta": 0.0, "rho": -0.9, "nu": 0.3},
    {"alpha": 0.1, "beta": 0.7, "rho": 0.0, "nu": 0.0},
]
FORWARD = 0.05
STRIKES = np.array([0.005, 0.03, 0.045, 0.049999, 0.05, 0.05 * (1 + 1e-12), 0.06, 0.1, 0.4])


@pytest.mark.parametrize("law", LAWS)
def test_volatilities_match_quantlib(law: dict[str, float]) -> None:
    for time in (0.1, 1.0, 10.0):
        ours = sabr.implied_volatility(FORWARD, STRIKES, time, **law)
        exact = [
            QuantLib.sabrVolatility(strike, FORWARD, time, law["alpha"], law["beta"], law["nu"], law["rho"])
            for strike in STRIKES
        ]
        np.testing.assert_allclose(ours, exact, rtol=1e-10)


def fifty_digits(strike: float, time: float, law: dict[str, float]) -> float:
    """Equation 2.17a as it is printed."""
    with mpmath.workdps(50):
        f, k, t = mpmath.mpf(FORWARD), mpmath.mpf(strike), mpmath.mpf(time)
        alpha, beta, rho, nu = (mpmath.mpf(law[name]) for name in ("alpha", "beta", "rho", "nu"))
        b, ln = 1 - beta, mpmath.log(f / k)
        level = (f * k) ** (b / 2)
        z = nu / alpha * level * ln
        x = mpmath.log((mpmath.sqrt(1 - 2 * rho * z + z * z) + z - rho) / (1 - rho))
        growth = b**2 / 24 * alpha**2 / level**2 + rho * beta * nu * alpha / level / 4 + (2 - 3 * rho**2) / 24 * nu**2
        spread = 1 + b**2 / 24 * ln**2 + b**4 / 1920 * ln**4
        return float(alpha / (level * spread) * z / x * (1 + growth * t))


@pytest.mark.parametrize("gap", [1e-14, 1e-9, 1e-6, 1e-3, 0.3, 20.0])
def test_nothing_cancels_near_the_money(gap: float) -> None:
    for strike in (FORWARD * (1 + gap), FORWARD / (1 + gap)):
        assert sabr.implied_volatility(FORWARD, strike, 2.0, **LAW) == pytest.approx(
            fifty_digits(strike, 2.0, LAW), rel=1e-13
        )


@pytest.mark.parametrize("law", [LAW, LAWS[1]])
def test_normal_and_black_volatilities_give_the_same_prices(law: dict[str, float]) -> None:
    """Both are expansions to the first order in time: their prices differ in the second."""
    strikes = np.array([0.04, 0.05, 0.065])
    differences = []
    for time in (0.25, 0.5):
        black = np.asarray(sabr.price("call", FORWARD, strikes, time, 0.02, **law))
        normal = np.asarray(sabr.normal_price("call", FORWARD, strikes, time, 0.02, **law))
        np.testing.assert_allclose(black, normal, rtol=0, atol=4e-6)
        differences.append(np.abs(black - normal).max() / math.sqrt(time))
    assert differences[0] < 0.45 * differences[1]


def test_normal_sabr_takes_forwards_and_strikes_of_either_sign() -> None:
    """With beta 0 only their difference counts."""
    law = {"alpha": 0.01, "beta": 0.0, "rho": -0.3, "nu": 0.4}
    strikes = np.array([-0.02, -0.001, 0.0, 0.004, 0.03])
    near_zero = sabr.normal_implied_volatility(-0.001, strikes, 2.0, **law)
    far = sabr.normal_implied_volatility(0.999, strikes + 1.0, 2.0, **law)
    np.testing.assert_allclose(near_zero, far, rtol=1e-12)
    assert sabr.normal_implied_volatility(-0.001, -0.001, 2.0, **{**law, "nu": 0.0}) == pytest.approx(0.01, rel=1e-15)


def test_without_volatility_of_volatility_and_beta_one_it_is_flat() -> None:
    flat = {"alpha": 0.25, "beta": 1.0, "rho": 0.2, "nu": 0.0}
    np.testing.assert_allclose(sabr.implied_volatility(FORWARD, STRIKES, 5.0, **flat), 0.25, rtol=1e-15)
    exact = black_76.price("put", FORWARD, STRIKES, 5.0, 0.03, 0.25)
    np.testing.assert_allclose(sabr.price("put", FORWARD, STRIKES, 5.0, 0.03, **flat), exact, rtol=1e-12)


def test_a_shift_moves_forward_and_strike() -> None:
    shifted = sabr.implied_volatility(-0.004, -0.01, 1.0, **LAW, shift=0.03)
    assert shifted == pytest.approx(float(sabr.implied_volatility(0.026, 0.02, 1.0, **LAW)), rel=1e-12)
    price = sabr.price("call", -0.004, -0.01, 1.0, 0.01, **LAW, shift=0.03)
    assert price == pytest.approx(float(black_76.price("call", 0.026, 0.02, 1.0, 0.01, shifted)), rel=1e-12)


def test_volatility_is_zero_where_it_starts_at_zero() -> None:
    assert sabr.implied_volatility(0.05, [0.04, 0.05], 1.0, **{**LAW, "alpha": 0.0}) == pytest.approx(
        [0.0, 0.0], abs=1e-15
    )


@pytest.mark.parametrize("law", LAWS)
def test_gradients_are_the_slopes_of_the_volatility(law: dict[str, float]) -> None:
    def volatility(**changed: float) -> Any:
        values = np.broadcast_arrays(FORWARD, STRIKES, 2.0, *({**law, **changed}[name] for name in LAW))
        return formulas.black_volatility_and_gradients(*values)

    for index, (name, value) in enumerate(law.items()):
        width = 1e-6 * max(value, 0.01)
        slope = (volatility(**{name: value + width})[0] - volatility(**{name: value - width})[0]) / (2.0 * width)
        np.testing.assert_allclose(volatility()[1 + index], slope, rtol=1e-5, atol=1e-7, err_msg=name)


def slopes(price: Callable[..., Any], contract: dict[str, Any], law: dict[str, float]) -> dict[str, Any]:
    """Greeks by differences of prices, of the fourth order where gamma takes two."""

    def at(**changed: Any) -> Any:
        arguments = {**contract, **law}
        return np.asarray(price(**{**arguments, **{name: arguments[name] + move for name, move in changed.items()}}))

    def slope(name: str, width: float) -> Any:
        near, far = ((at(**{name: step}) - at(**{name: -step})) / (2.0 * step) for step in (width, 2.0 * width))
        return (4.0 * near - far) / 3.0

    width = 2e-3 * contract["forward"]
    near, far = ((at(forward=step) - 2.0 * at() + at(forward=-step)) / step**2 for step in (width, 2.0 * width))
    return {
        "delta": slope("forward", width),
        "gamma": (4.0 * near - far) / 3.0,
        "vega": slope("alpha", 1e-3 * law["alpha"]),
        "theta": -slope("time_to_expiry", 1e-3),
        "rho": slope("rate", 1e-4),
    }


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("kind", ["call", "put"])
def test_greeks_are_the_slopes_of_the_price(law: dict[str, float], kind: str) -> None:
    contract: dict[str, Any] = {
        "option_type": kind,
        "forward": FORWARD,
        "strike": STRIKES[1:],
        "time_to_expiry": 2.0,
        "rate": 0.03,
    }
    for price, price_and_greeks in (
        (sabr.price, sabr.price_and_greeks),
        (sabr.normal_price, sabr.normal_price_and_greeks),
    ):
        found = price_and_greeks(**contract, **law)
        np.testing.assert_allclose(found.price, price(**contract, **law), rtol=1e-13)
        for name, expected in slopes(price, contract, law).items():
            scale = np.abs(expected).max()
            np.testing.assert_allclose(getattr(found, name), expected, rtol=0, atol=2e-7 * scale, err_msg=name)


def test_greeks_of_negative_forwards_are_those_of_forwards_far_above() -> None:
    """With beta 0 only the difference of forward and strike counts."""
    law = {"alpha": 0.01, "beta": 0.0, "rho": -0.3, "nu": 0.4}
    strikes = np.array([-0.02, -0.001, 0.0, 0.004])
    below = sabr.normal_price_and_greeks("put", -0.001, strikes, 2.0, 0.01, **law)
    above = sabr.normal_price_and_greeks("put", 0.999, strikes + 1.0, 2.0, 0.01, **law)
    for name in below._fields:
        np.testing.assert_allclose(getattr(below, name), getattr(above, name), rtol=1e-9, atol=1e-14, err_msg=name)


def test_without_volatility_of_volatility_and_beta_one_greeks_are_blacks() -> None:
    flat = {"alpha": 0.25, "beta": 1.0, "rho": 0.2, "nu": 0.0}
    contract = ("put", FORWARD, STRIKES, 1.5, 0.03)
    found, exact = sabr.price_and_greeks(*contract, **flat), black_76.price_and_greeks(*contract, 0.25)
    for name in found._fields:
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), rtol=1e-11, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("changed", [{"alpha": 0.0}, {"time_to_expiry": 0.0}])
@pytest.mark.parametrize("price_and_greeks", [sabr.price_and_greeks, sabr.normal_price_and_greeks])
def test_without_time_or_volatility_greeks_are_those_of_the_intrinsic_value(
    price_and_greeks: Callable[..., Any], changed: dict[str, float]
) -> None:
    arguments = {"time_to_expiry": 1.0, **LAW, **changed}
    found = price_and_greeks("call", FORWARD, [0.03, FORWARD, 0.07], rate=0.02, **arguments)
    discount = math.exp(-0.02 * arguments["time_to_expiry"])
    np.testing.assert_allclose(found.price, [0.02 * discount, 0.0, 0.0], atol=1e-17)
    np.testing.assert_allclose(found.delta, [discount, 0.5 * discount, 0.0], rtol=1e-14)
    assert found.gamma.tolist() == [0.0, math.inf, 0.0]
    assert found.vega.tolist() == [0.0, 0.0, 0.0]
    assert isinstance(price_and_greeks("call", FORWARD, 0.03, rate=0.02, **arguments).vega, float)


def simulated(strike: float, time: float, law: dict[str, float], forward: float) -> tuple[float, float]:
    """An out-of-the-money option's price and its error: Milstein's scheme, antithetic, beside a lognormal control."""
    alpha, beta, rho, nu = (law[name] for name in ("alpha", "beta", "rho", "nu"))
    generator, steps, paths = np.random.default_rng(7), 160, 1 << 14
    step = time / steps
    spot, volatility, moved = np.full(2 * paths, forward), np.full(2 * paths, alpha), np.zeros(2 * paths)
    for _ in range(steps):
        first, second = generator.standard_normal((2, paths)) * math.sqrt(step)
        z, w = np.append(first, -first), np.append(second, -second)
        w = rho * z + math.sqrt(1.0 - rho * rho) * w
        slope = np.where(spot > 0.0, volatility * np.maximum(spot, 1e-12) ** beta, 0.0)
        curve = 0.5 * beta * slope**2 / np.maximum(spot, 1e-12) * (w * w - step) + 0.5 * nu * slope * (
            z * w - rho * step
        )
        spot = np.where(spot > 0.0, np.maximum(spot + slope * w + curve, 0.0), 0.0)
        volatility = volatility * np.exp(nu * z - 0.5 * nu * nu * step)
        moved += w
    flat = alpha * forward ** (beta - 1.0)
    side = 1 if strike > forward else -1
    control = np.maximum(side * (forward * np.exp(flat * moved - 0.5 * flat * flat * time) - strike), 0.0)
    value = np.maximum(side * (spot - strike), 0.0)
    value, control = (0.5 * (each[:paths] + each[paths:]) for each in (value, control))
    weight = np.cov(value, control)[0, 1] / control.var()
    left = value - weight * (control - black_76.price(side, forward, strike, time, 0.0, flat))
    return float(left.mean()), float(left.std() / math.sqrt(paths))


def test_far_from_the_money_hagans_expansion_is_nearer_to_a_simulation_than_oblojs() -> None:
    """Obloj (2008), equation 4: z by the integral of x^-beta, and no series of its quotient by the logarithm."""
    forward, strike, time, law = 100.0, 30.0, 5.0, {"alpha": 7.9, "beta": 0.25, "rho": -0.3, "nu": 0.3}
    width, distance = 1.0 - law["beta"], math.log(forward / strike)
    z = law["nu"] / law["alpha"] * (forward**width - strike**width) / width
    growth = formulas.black_expansion(*map(np.asarray, (forward, strike, time, *law.values()))).growth.value
    x = math.log((math.sqrt(1.0 - 2.0 * law["rho"] * z + z * z) + z - law["rho"]) / (1.0 - law["rho"]))
    oblojs = law["nu"] * distance / x * float(growth)
    hagans = float(sabr.implied_volatility(forward, strike, time, **law))
    value, error = simulated(strike, time, law, forward)
    exact = float(black_76.implied_volatility(value, "put", forward, strike, time, 0.0))
    in_volatility = error / float(black_76.greeks("put", forward, strike, time, 0.0, exact).vega)
    assert hagans - exact > 5.0 * in_volatility
    assert oblojs - hagans > in_volatility


def test_shapes_broadcast() -> None:
    assert np.shape(sabr.implied_volatility(FORWARD, STRIKES, [[0.5], [1.0]], **LAW)) == (2, 9)
    assert isinstance(sabr.implied_volatility(FORWARD, 0.04, 1.0, **LAW), float)
    assert np.shape(sabr.normal_implied_volatility(FORWARD, [], 1.0, **LAW)) == (0,)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rho": 1.0}, "rho must be a correlation strictly"),
        ({"beta": 1.1}, "beta"),
        ({"nu": math.nan}, "nu"),
        ({"alpha": -0.1}, "alpha"),
        ({"strike": [0.05, -0.01]}, r"strike\[1\] must be above minus the shift"),
        ({"forward": -0.01}, "forward must be above minus the shift"),
        ({"time_to_expiry": 500.0, "rho": -0.95, "nu": 1.0}, "time_to_expiry must be shorter"),
    ],
)
def test_a_wrong_argument_is_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        sabr.implied_volatility(**{"forward": 0.05, "strike": 0.05, "time_to_expiry": 1.0, **LAW, **changed})
