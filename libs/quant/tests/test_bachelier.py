"""Bachelier's model against mpmath with 50 digits, QuantLib, parity, a bump of every argument, and limits."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.quant import _bachelier_formulas as formulas
from quantmesh.quant import bachelier
from quantmesh.quant.bachelier import Status
from quantmesh.quant.errors import DomainError

CONTRACT: dict[str, Any] = {
    "forward": 0.012,
    "strike": -0.004,
    "time_to_expiry": 1.5,
    "rate": 0.03,
    "volatility": 0.009,
}
ROWS = np.array(
    [
        (1, 0.012, 0.018, 1.5, 0.03, 0.009),
        (-1, -0.004, -0.01, 0.25, -0.01, 0.006),
        (1, 102.0, 95.0, 2.0, 0.05, 21.0),
        (-1, -37.0, 10.0, 0.08, 0.01, 60.0),
        (1, 55.0, 55.0, 0.5, 0.0, 12.0),
    ]
)


def exact_price(sign: Any, forward: Any, strike: Any, time: Any, rate: Any, volatility: Any) -> Any:
    deviation = volatility * mpmath.sqrt(time)
    d = sign * (forward - strike) / deviation
    return mpmath.exp(-rate * time) * deviation * (d * mpmath.ncdf(d) + mpmath.npdf(d))


def derivative(row: Any, *orders: int) -> float:
    """By forward, time, rate and volatility, so many times each; a derivative by time is by calendar time."""
    sign, forward, strike, time, rate, volatility = (mpmath.mpf(value) for value in row)

    def along(f: Any, t: Any, r: Any, v: Any) -> Any:
        return exact_price(sign, f, strike, t, r, v)

    with mpmath.workdps(50):
        value = float(mpmath.diff(along, (forward, time, rate, volatility), orders))
    return -value if orders[1] else value


def test_prices_match_fifty_digits_even_far_out_of_the_money() -> None:
    strikes = np.concatenate([ROWS[:, 2], [200.0, 500.0, 900.0]])
    rows = np.vstack([ROWS, np.tile(ROWS[2], (3, 1))])
    rows[:, 2] = strikes
    with mpmath.workdps(50):
        exact = [float(exact_price(*map(mpmath.mpf, row))) for row in rows]
    assert exact[-1] < 1e-100
    np.testing.assert_allclose(bachelier.price(*rows.T), exact, rtol=3e-13)


def test_prices_match_quantlib() -> None:
    for sign, forward, strike, time, rate, volatility in ROWS:
        kind = QuantLib.Option.Call if sign == 1 else QuantLib.Option.Put
        oracle = QuantLib.bachelierBlackFormula(
            kind, strike, forward, volatility * math.sqrt(time), math.exp(-rate * time)
        )
        ours = bachelier.price(int(sign), forward, strike, time, rate, volatility)
        assert ours == pytest.approx(oracle, rel=1e-12)


def test_greeks_of_all_orders_match_derivatives_of_the_exact_price() -> None:
    expected = {
        "delta": (1, 0, 0, 0),
        "gamma": (2, 0, 0, 0),
        "vega": (0, 0, 0, 1),
        "theta": (0, 1, 0, 0),
        "rho": (0, 0, 1, 0),
        "vanna": (1, 0, 0, 1),
        "charm": (1, 1, 0, 0),
        "volga": (0, 0, 0, 2),
        "veta": (0, 1, 0, 1),
        "vera": (0, 0, 1, 1),
        "speed": (3, 0, 0, 0),
        "zomma": (2, 0, 0, 1),
        "color": (2, 1, 0, 0),
        "ultima": (0, 0, 0, 3),
    }
    columns = bachelier.greeks(*ROWS.T, higher_orders=True)
    for index, row in enumerate(ROWS[:4]):
        for name, orders in expected.items():
            assert getattr(columns, name)[index] == pytest.approx(derivative(row, *orders), rel=1e-9), (name, row)


def test_columns_agree_with_the_scalar_twin() -> None:
    columns = bachelier.greeks(*ROWS.T, higher_orders=True)
    prices = bachelier.price_and_greeks(*ROWS.T)
    for index, row in enumerate(ROWS):
        arguments = (int(row[0]), *map(float, row[1:]))
        for name, value in bachelier.greeks(*arguments, higher_orders=True)._asdict().items():
            assert getattr(columns, name)[index] == pytest.approx(value, rel=1e-12, abs=1e-15), name
        assert np.asarray(prices.price)[index] == pytest.approx(bachelier.price(*arguments), rel=1e-13)


@given(
    forward=st.floats(-100, 100),
    strike=st.floats(-100, 100),
    time=st.floats(1e-3, 10),
    rate=st.floats(-0.1, 0.2),
    volatility=st.floats(0.1, 80),
)
def test_parity_symmetry_and_bounds(forward: float, strike: float, time: float, rate: float, volatility: float) -> None:
    discount = math.exp(-rate * time)
    call, put = (formulas.price_of_one(sign, forward, strike, time, rate, volatility) for sign in (1, -1))
    assert call - put == pytest.approx(discount * (forward - strike), abs=1e-12)
    # A mirror through the strike turns a call into a put.
    assert call == pytest.approx(formulas.price_of_one(-1, -forward, -strike, time, rate, volatility), rel=1e-14)
    assert call >= max(discount * (forward - strike), 0.0)


def test_full_double_accuracy_of_the_implied_volatility_up_to_37_deviations() -> None:
    generator = np.random.default_rng(11)
    deviations = np.concatenate([[0.0, 1e-12, 1e-6, 1e-3], generator.uniform(0.0, 37.0, 300)])
    s = 10 ** generator.uniform(-6, 3, deviations.size)
    strikes = deviations * s
    prices, targets = np.empty(s.size), np.empty(s.size)
    with mpmath.workdps(50):
        for i in range(s.size):
            exact = exact_price(1, 0, mpmath.mpf(strikes[i]), 1, 0, mpmath.mpf(s[i]))
            prices[i] = float(exact)
            # The deviation that belongs to the price as rounded.
            targets[i] = float(s[i] + (mpmath.mpf(prices[i]) - exact) / mpmath.npdf(mpmath.mpf(strikes[i]) / s[i]))
    found = np.asarray(bachelier.implied_volatility(prices, "call", 0.0, strikes, 1.0, 0.0))
    np.testing.assert_allclose(found, targets, rtol=1e-15)
    for i in range(0, s.size, 10):
        alone = bachelier.implied_volatility(float(prices[i]), "call", 0.0, float(strikes[i]), 1.0, 0.0)
        assert found[i] == pytest.approx(alone, rel=1e-15)


def test_implied_volatilities_come_back_from_prices_in_and_out_of_the_money() -> None:
    prices = np.asarray(bachelier.price(*ROWS.T))
    found = bachelier.implied_volatility(prices, *ROWS.T[:5])
    np.testing.assert_allclose(found, ROWS[:, 5], rtol=1e-12)


def test_without_volatility_or_time_a_price_is_its_discounted_intrinsic_value() -> None:
    for quiet in ({"volatility": 0.0}, {"time_to_expiry": 0.0}):
        contract = CONTRACT | quiet
        discount = math.exp(-0.03 * contract["time_to_expiry"])
        call, put = (bachelier.price_and_greeks(kind, **contract) for kind in ("call", "put"))
        assert call.price == pytest.approx(0.016 * discount, rel=1e-14)
        assert (put.price, put.delta, call.gamma, call.vega) == (0.0, 0.0, 0.0, 0.0)
        assert call.delta == pytest.approx(discount)
    assert bachelier.greeks("call", 5, 5, 0, 0, 1).gamma == math.inf
    assert bachelier.greeks("call", 5, 5, 0, 0, 1).delta == pytest.approx(0.5)
    assert bachelier.implied_volatility(0.0, "call", 1.0, 2.0, 1.0, 0.0) == 0.0


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("forward", math.nan),
        ("strike", math.inf),
        ("time_to_expiry", -1.0),
        ("rate", math.nan),
        ("rate", 5000.0),
        ("volatility", -1e-9),
    ],
)
def test_a_value_outside_its_domain_is_named(argument: str, value: float) -> None:
    with pytest.raises(DomainError, match=rf"^{argument} must be .*got {value}"):
        bachelier.price("call", **(CONTRACT | {argument: value}))
    column = np.full(500, CONTRACT[argument])
    column[401] = value
    with pytest.raises(DomainError, match=rf"^{argument}\[401\] must be"):
        bachelier.greeks("put", **(CONTRACT | {argument: column}))


@pytest.mark.parametrize(
    ("wrong", "argument", "status"),
    [
        ({"price": 0.9}, "price", Status.BELOW_INTRINSIC),
        ({"price": -1.0}, "price", Status.INVALID_PRICE),
        ({"forward": math.nan}, "forward", Status.INVALID_FORWARD),
        ({"strike": -math.inf}, "strike", Status.INVALID_STRIKE),
        ({"time_to_expiry": 0.0}, "time_to_expiry", Status.INVALID_TIME_TO_EXPIRY),
        ({"rate": math.nan}, "rate", Status.INVALID_RATE),
        ({"rate": 1e7, "time_to_expiry": 1e-9}, "rate", Status.INVALID_RATE),
        ({"price": 1e300, "rate": 5000.0}, "rate", Status.INVALID_RATE),
    ],
)
def test_a_quote_without_an_answer_says_why_and_spares_the_others(
    wrong: dict[str, float], argument: str, status: Status
) -> None:
    quote = {"price": 1.2, "forward": 11.0, "strike": 10.0, "time_to_expiry": 1.0, "rate": 0.0}
    columns = {name: np.full(3, value) for name, value in quote.items()}
    for name, value in wrong.items():
        columns[name][1] = value
    found = bachelier.implied_volatilities(option_type="call", **columns)
    assert list(found.status) == [0, status, 0]
    assert np.isnan(found.volatility[1])
    with pytest.raises(DomainError, match=rf"^{argument}\[1\] must be"):
        bachelier.implied_volatility(option_type="call", **columns)
    with pytest.raises(DomainError, match=rf"^{argument} must be"):
        bachelier.implied_volatility(option_type="call", **(quote | wrong))
    unknown = bachelier.implied_volatilities(option_type=[1, 0, -1], **{name: quote[name] for name in quote})
    assert unknown.status[1] == Status.INVALID_OPTION_TYPE


@pytest.mark.parametrize("unit", [1e-250, 1e-160, 1e90])
def test_a_volatility_is_in_the_unit_of_its_amounts(unit: float) -> None:
    price = bachelier.price("call", 11.0, 10.0, 2.0, 0.05, 3.0)
    scaled = (price * unit, "call", 11.0 * unit, 10.0 * unit, 2.0, 0.05)
    assert bachelier.implied_volatility(*scaled) == pytest.approx(3.0 * unit, rel=1e-14)
    found = bachelier.implied_volatilities(np.full(3, scaled[0]), *scaled[1:])
    np.testing.assert_allclose(found.volatility, 3.0 * unit, rtol=1e-14)
