"""Prices and Greeks against mpmath with 50 digits, QuantLib, parity, finite differences and limits."""

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import mpmath
import numpy as np
import pytest
import QuantLib
from hypothesis import given, settings
from hypothesis import strategies as st

from quantmesh.quant import _black_scholes_formulas as formulas
from quantmesh.quant import black_scholes
from quantmesh.quant.errors import DomainError

CONTRACT: dict[str, Any] = {
    "spot": 100.0,
    "strike": 105.0,
    "time_to_expiry": 0.75,
    "rate": 0.03,
    "dividend_yield": 0.01,
    "volatility": 0.22,
}
GRID = list(
    product(
        (1, -1), (100.0,), (60.0, 95.0, 100.0, 130.0), (0.01, 0.5, 3.0), (-0.02, 0.04), (0.0, 0.03), (0.05, 0.3, 1.2)
    )
)


Row = tuple[float, float, float, float, float, float, float]


@pytest.fixture(autouse=True)
def fifty_digits() -> Iterator[None]:
    with mpmath.workdps(50):
        yield


def exact_price(*arguments: Any) -> Any:
    sign, spot, strike, time, rate, dividend_yield, volatility = map(mpmath.mpf, arguments)
    deviation = volatility * mpmath.sqrt(time)
    d1 = (mpmath.log(spot / strike) + (rate - dividend_yield) * time) / deviation + deviation / 2
    spot_part = spot * mpmath.exp(-dividend_yield * time) * mpmath.ncdf(sign * d1)
    strike_part = strike * mpmath.exp(-rate * time) * mpmath.ncdf(sign * (d1 - deviation))
    return sign * (spot_part - strike_part)


def derivative(arguments: Row, name: str, order: int = 1) -> Any:
    names = ["sign", "spot", "strike", "time", "rate", "dividend_yield", "volatility"]
    position = names.index(name)

    def along(x: Any) -> Any:
        return exact_price(*arguments[:position], x, *arguments[position + 1 :])

    return mpmath.diff(along, mpmath.mpf(arguments[position]), order)


def mixed(arguments: Row, **orders: int) -> Any:
    names = ["sign", "spot", "strike", "time", "rate", "dividend_yield", "volatility"]
    positions = [names.index(name) for name in orders]

    def along(*values: Any) -> Any:
        moved: list[Any] = list(arguments)
        for position, value in zip(positions, values, strict=True):
            moved[position] = value
        return exact_price(*moved)

    return mpmath.diff(along, tuple(mpmath.mpf(arguments[p]) for p in positions), tuple(orders.values()))


def test_prices_match_fifty_digits() -> None:
    prices = black_scholes.price(*np.array(GRID).T)
    exact = np.array([float(exact_price(*row)) for row in GRID])
    np.testing.assert_allclose(prices, exact, rtol=0, atol=1e-12)


def test_out_of_the_money_prices_keep_their_relative_accuracy_far_into_the_wings() -> None:
    strikes = np.array([150.0, 200.0, 300.0, 500.0, 1000.0])
    prices = black_scholes.price("call", 100.0, strikes, 0.25, 0.01, 0.0, 0.2)
    exact = [float(exact_price(1, 100.0, strike, 0.25, 0.01, 0.0, 0.2)) for strike in strikes]
    assert exact[-1] < 1e-100
    np.testing.assert_allclose(prices, exact, rtol=1e-12)


def test_the_textbook_example() -> None:
    # Hull, "Options, Futures, and Other Derivatives", the example of section 15.9: call 4.76, put 0.81.
    assert black_scholes.price("call", 42, 40, 0.5, 0.1, 0, 0.2) == pytest.approx(4.76, abs=0.005)
    assert black_scholes.price("put", 42, 40, 0.5, 0.1, 0, 0.2) == pytest.approx(0.81, abs=0.005)
    # Haug, "The Complete Guide to Option Pricing Formulas", section 1.1.3: a put on a stock with a yield, 2.4648.
    assert black_scholes.price("put", 100, 95, 0.5, 0.1, 0.05, 0.2) == pytest.approx(2.4648, abs=5e-5)


def test_greeks_match_derivatives_of_the_exact_price() -> None:
    for row in [(1, 100.0, 105.0, 0.75, 0.03, 0.01, 0.22), (-1, 100.0, 80.0, 2.0, -0.01, 0.04, 0.45)]:
        greeks = black_scholes.greeks(*row)
        assert greeks.delta == pytest.approx(float(derivative(row, "spot")), rel=1e-12)
        assert greeks.gamma == pytest.approx(float(derivative(row, "spot", 2)), rel=1e-12)
        assert greeks.vega == pytest.approx(float(derivative(row, "volatility")), rel=1e-12)
        assert greeks.theta == pytest.approx(-float(derivative(row, "time")), rel=1e-12)
        assert greeks.rho == pytest.approx(float(derivative(row, "rate")), rel=1e-12)


def test_higher_order_greeks_match_derivatives_of_the_exact_price() -> None:
    for row in [(1, 100.0, 105.0, 0.75, 0.03, 0.01, 0.22), (-1, 100.0, 80.0, 2.0, -0.01, 0.04, 0.45)]:
        greeks = black_scholes.greeks(*row, higher_orders=True)
        expected = {
            "epsilon": derivative(row, "dividend_yield"),
            "vanna": mixed(row, spot=1, volatility=1),
            "charm": -mixed(row, spot=1, time=1),
            "volga": derivative(row, "volatility", 2),
            "veta": -mixed(row, volatility=1, time=1),
            "vera": mixed(row, rate=1, volatility=1),
            "speed": derivative(row, "spot", 3),
            "zomma": mixed(row, spot=2, volatility=1),
            "color": -mixed(row, spot=2, time=1),
            "ultima": derivative(row, "volatility", 3),
        }
        for name, value in expected.items():
            assert getattr(greeks, name) == pytest.approx(float(value), rel=1e-8), name


def test_prices_and_greeks_match_quantlib() -> None:
    for sign, spot, strike, time, rate, dividend_yield, volatility in GRID[::7]:
        payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Call if sign == 1 else QuantLib.Option.Put, strike)
        growth, discount = math.exp(-dividend_yield * time), math.exp(-rate * time)
        oracle = QuantLib.BlackCalculator(payoff, spot * growth / discount, volatility * math.sqrt(time), discount)
        ours = black_scholes.price_and_greeks(sign, spot, strike, time, rate, dividend_yield, volatility)
        assert ours.price == pytest.approx(oracle.value(), abs=1e-11)
        assert ours.delta == pytest.approx(oracle.delta(spot), abs=1e-12)
        assert ours.gamma == pytest.approx(oracle.gamma(spot), abs=1e-11)
        assert ours.vega == pytest.approx(oracle.vega(time), abs=1e-10)
        assert ours.theta == pytest.approx(oracle.theta(spot, time), abs=1e-9)
        assert ours.rho == pytest.approx(oracle.rho(time), abs=1e-10)


def test_arrays_agree_with_the_scalar_twin_to_the_last_bits() -> None:
    arrays = black_scholes.greeks(*np.array(GRID).T, higher_orders=True)
    for index in range(0, len(GRID), 5):
        scalars = black_scholes.greeks(*GRID[index], higher_orders=True)
        for name, value in scalars._asdict().items():
            assert getattr(arrays, name)[index] == pytest.approx(value, rel=1e-10, abs=1e-13), name


@settings(max_examples=200, deadline=None)
@given(
    spot=st.floats(1.0, 1e4),
    moneyness=st.floats(0.2, 5.0),
    time=st.floats(1e-4, 10.0),
    rate=st.floats(-0.05, 0.2),
    dividend_yield=st.floats(-0.05, 0.2),
    volatility=st.floats(0.01, 3.0),
)
def test_put_call_parity_and_bounds(
    spot: float, moneyness: float, time: float, rate: float, dividend_yield: float, volatility: float
) -> None:
    strike = spot * moneyness
    rest = (spot, strike, time, rate, dividend_yield, volatility)
    call, put = (formulas.price_of_one(sign, *rest) for sign in (1, -1))
    carried, discounted = spot * math.exp(-dividend_yield * time), strike * math.exp(-rate * time)
    assert call - put == pytest.approx(carried - discounted, abs=1e-13 * (carried + discounted))
    assert max(carried - discounted, 0) <= call + 1e-13 * carried
    assert call <= carried


@pytest.mark.parametrize("quiet", [{"volatility": 0.0}, {"time_to_expiry": 0.0}])
@pytest.mark.parametrize("strike", [80.0, 120.0])
def test_without_volatility_or_time_a_price_is_its_discounted_intrinsic_value(
    quiet: dict[str, float], strike: float
) -> None:
    contract = CONTRACT | {"strike": strike} | quiet
    time = contract["time_to_expiry"]
    difference = 100.0 * math.exp(-0.01 * time) - strike * math.exp(-0.03 * time)
    for option_type, sign in (("call", 1), ("put", -1)):
        greeks = black_scholes.price_and_greeks(option_type, **contract)
        assert greeks.price == pytest.approx(max(sign * difference, 0.0), abs=1e-13)
        assert greeks.delta == pytest.approx(sign * math.exp(-0.01 * time) * (sign * difference > 0))
        assert (greeks.gamma, greeks.vega) == (0.0, 0.0)


def test_at_the_money_without_volatility_gamma_is_infinite_and_vega_is_not() -> None:
    greeks = black_scholes.greeks("call", 100, 100, 1, 0, 0, 0)
    assert greeks.gamma == math.inf
    assert greeks.vega == pytest.approx(100 / math.sqrt(2 * math.pi))
    assert greeks.delta == pytest.approx(0.5)


def test_worthless_underlying_and_free_strike() -> None:
    assert black_scholes.price("call", 0, 100, 1, 0.05, 0, 0.2) == 0.0
    assert black_scholes.price("put", 0, 100, 1, 0.05, 0, 0.2) == pytest.approx(100 * math.exp(-0.05), rel=1e-15)
    assert black_scholes.price("call", 100, 0, 1, 0.05, 0.01, 0.2) == pytest.approx(100 * math.exp(-0.01), rel=1e-15)
    assert black_scholes.price("put", 100, 0, 1, 0.05, 0.01, 0.2) == 0.0


def test_shapes_broadcast_and_scalars_stay_scalars() -> None:
    strikes = np.array([[90.0], [100.0], [110.0]])
    times = np.array([0.25, 0.5])
    prices = np.asarray(black_scholes.price("call", 100.0, strikes, times, 0.01, 0.0, 0.2))
    assert prices.shape == (3, 2)
    assert prices[2, 1] == pytest.approx(black_scholes.price("call", 100.0, 110.0, 0.5, 0.01, 0.0, 0.2), rel=1e-14)
    assert isinstance(black_scholes.price("call", 100, 110, 0.5, 0.01, 0, 0.2), float)
    assert np.shape(black_scholes.price("call", np.array([]), 110, 0.5, 0.01, 0, 0.2)) == (0,)


def test_option_types_are_names_or_signs_alone_or_in_arrays() -> None:
    names = black_scholes.price(["call", "put"], 100.0, 105.0, 0.5, 0.01, 0.0, 0.2)
    signs = black_scholes.price(np.array([1, -1]), 100.0, 105.0, 0.5, 0.01, 0.0, 0.2)
    objects = black_scholes.price(np.array(["call", "put"], dtype=object), 100.0, 105.0, 0.5, 0.01, 0.0, 0.2)
    np.testing.assert_array_equal(names, signs)
    np.testing.assert_array_equal(names, objects)


def test_many_rows_in_many_threads_equal_few_in_one() -> None:
    generator = np.random.default_rng(7)
    rows = 200_003
    spot, volatility = generator.uniform(50, 150, rows), generator.uniform(0.05, 1, rows)
    many = black_scholes.price_and_greeks("put", spot, 100.0, 1.0, 0.02, 0.0, volatility)
    few_rows = 1_000
    for start in (*range(0, rows - few_rows, few_rows), rows - few_rows):
        part = slice(start, start + few_rows)
        few = black_scholes.price_and_greeks("put", spot[part], 100.0, 1.0, 0.02, 0.0, volatility[part])
        np.testing.assert_array_equal([np.asarray(answer)[part] for answer in many], few)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("spot", -1.0),
        ("strike", math.inf),
        ("time_to_expiry", -0.1),
        ("time_to_expiry", -1e6),
        ("volatility", -0.2),
        ("volatility", math.nan),
        ("rate", math.nan),
        ("dividend_yield", -math.inf),
        ("rate", 5000.0),
    ],
)
def test_a_value_outside_its_domain_is_named(argument: str, value: float) -> None:
    with pytest.raises(DomainError, match=rf"^{argument} must be .*got {value}") as scalar:
        black_scholes.price("call", **(CONTRACT | {argument: value}))
    assert (scalar.value.argument, scalar.value.index) == (argument, None)
    column = np.full(100_000, CONTRACT[argument])
    column[70_001] = value
    with pytest.raises(DomainError, match=rf"^{argument}\[70001\] must be") as batch:
        black_scholes.price("call", **(CONTRACT | {argument: column}))
    assert (batch.value.argument, batch.value.index) == (argument, 70_001)


@pytest.mark.parametrize("option_type", ["straddle", 0, 2, None, ["call", "Put"], np.array([1, 3])])
def test_an_unknown_option_type_is_named(option_type: Any) -> None:
    with pytest.raises(DomainError, match=r"^option_type.* must be \"call\", \"put\", 1 or -1"):
        black_scholes.price(option_type, **CONTRACT)
