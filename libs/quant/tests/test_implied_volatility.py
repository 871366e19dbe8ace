"""Implied volatilities against mpmath with 60 digits over the whole domain, QuantLib, and the prices they came from."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import QuantLib

from quantmesh.quant import _implied_volatility_formulas as formulas
from quantmesh.quant import black_scholes
from quantmesh.quant.black_scholes import Status
from quantmesh.quant.errors import DomainError


def exact_normalized_price(a: Any, s: Any) -> Any:
    z, t = a / s, s / 2
    return mpmath.exp(-a / 2) * mpmath.ncdf(t - z) - mpmath.exp(a / 2) * mpmath.ncdf(-z - t)


def test_full_double_accuracy_over_the_whole_domain() -> None:
    """Deviations from 1e-4 to 20, up to 35 of them out of the money, prices down to 1e-300 and up to the bound."""
    generator = np.random.default_rng(5)
    tried = 0
    with mpmath.workdps(60):
        for _ in range(600):
            s = mpmath.mpf(10 ** generator.uniform(-4, 1.3))
            a = mpmath.mpf(float(min(s * generator.choice([0.0, 10 ** generator.uniform(-6, 1.54)]), 600)))
            exact = exact_normalized_price(a, s)
            b = float(exact)
            vega = mpmath.exp(-((a / s) ** 2 + s * s / 4) / 2) / mpmath.sqrt(2 * mpmath.pi)
            # The deviation that belongs to the price as rounded, and what that rounding alone can move it.
            target = s + (mpmath.mpf(b) - exact) / vega
            rounding = float(abs(exact) * mpmath.mpf(2) ** -53 / (vega * s))
            if b < 1e-300 or rounding > 1e-3:
                continue
            assert formulas.solved(float(a), b) == pytest.approx(float(target), rel=5e-15 + 2 * rounding)
            tried += 1
    assert tried > 500


def test_columns_within_three_deviations_come_back_to_the_last_bits() -> None:
    generator = np.random.default_rng(3)
    rows = 50_000
    time, volatility = generator.uniform(0.02, 2, rows), generator.uniform(0.05, 0.9, rows)
    rate, dividend_yield = generator.uniform(-0.02, 0.06, rows), generator.uniform(0, 0.04, rows)
    deviations = generator.uniform(-3, 3, rows)
    strike = 100 * np.exp((rate - dividend_yield) * time + deviations * volatility * np.sqrt(time))
    out_of_the_money = np.where(deviations > 0, 1, -1)
    prices = black_scholes.price(out_of_the_money, 100.0, strike, time, rate, dividend_yield, volatility)
    found = black_scholes.implied_volatility(prices, out_of_the_money, 100.0, strike, time, rate, dividend_yield)
    np.testing.assert_allclose(found, volatility, rtol=2e-13)


def test_columns_agree_with_the_scalar_twin() -> None:
    strikes = np.array([20.0, 70.0, 99.0, 100.0, 101.0, 140.0, 400.0])
    for time, volatility in ((0.003, 0.8), (0.5, 0.2), (4.0, 1.5), (1.0, 6.0)):
        prices = np.asarray(black_scholes.price("put", 100.0, strikes, time, 0.02, 0.0, volatility))
        columns = black_scholes.implied_volatilities(prices, "put", 100.0, strikes, time, 0.02, 0.0)
        for strike, price, found, status in zip(strikes, prices, *columns, strict=True):
            if status == Status.SOLVED:
                alone = black_scholes.implied_volatility(float(price), "put", 100.0, float(strike), time, 0.02, 0.0)
                assert found == pytest.approx(alone, rel=1e-9)


def test_in_the_money_prices_come_back_as_far_as_they_determine_a_volatility() -> None:
    price = black_scholes.price("call", 100.0, 70.0, 0.5, 0.03, 0.01, 0.35)
    assert black_scholes.implied_volatility(price, "call", 100.0, 70.0, 0.5, 0.03, 0.01) == pytest.approx(
        0.35, rel=1e-13
    )
    deep = black_scholes.price("call", 100.0, 20.0, 0.5, 0.0, 0.0, 0.4)
    found = black_scholes.implied_volatility(deep, "call", 100.0, 20.0, 0.5, 0.0, 0.0)
    assert black_scholes.price("call", 100.0, 20.0, 0.5, 0.0, 0.0, found) == pytest.approx(deep, rel=1e-15)


def test_quantlib_prices_come_back() -> None:
    for strike, volatility in ((80.0, 0.15), (100.0, 0.3), (150.0, 0.9)):
        payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Call, strike)
        oracle = QuantLib.BlackCalculator(payoff, 100.0 * math.exp(0.03), volatility, math.exp(-0.04))
        found = black_scholes.implied_volatility(oracle.value(), "call", 100.0, strike, 1.0, 0.04, 0.01)
        assert found == pytest.approx(volatility, rel=1e-11)


def test_a_price_at_its_intrinsic_value_has_no_volatility() -> None:
    intrinsic = 100.0 - 80.0 * math.exp(-0.05)
    assert black_scholes.implied_volatility(intrinsic, "call", 100.0, 80.0, 1.0, 0.05, 0.0) == 0.0
    assert black_scholes.implied_volatility(0.0, "put", 100.0, 80.0, 1.0, 0.05, 0.0) == 0.0


CONTRACT: dict[str, Any] = {
    "price": 10.0,
    "option_type": "call",
    "spot": 100.0,
    "strike": 100.0,
    "time_to_expiry": 1.0,
    "rate": 0.05,
    "dividend_yield": 0.0,
}
BAD = [
    ({"price": 4.0}, "price", Status.BELOW_INTRINSIC),
    ({"price": 100.0}, "price", Status.ABOVE_BOUND),
    ({"price": -1.0}, "price", Status.INVALID_PRICE),
    ({"price": math.nan}, "price", Status.INVALID_PRICE),
    ({"spot": 0.0}, "spot", Status.INVALID_SPOT),
    ({"strike": -5.0}, "strike", Status.INVALID_STRIKE),
    ({"time_to_expiry": 0.0}, "time_to_expiry", Status.INVALID_TIME_TO_EXPIRY),
    ({"time_to_expiry": -1.0}, "time_to_expiry", Status.INVALID_TIME_TO_EXPIRY),
    ({"rate": math.inf}, "rate", Status.INVALID_RATE),
    ({"dividend_yield": math.nan}, "dividend_yield", Status.INVALID_DIVIDEND_YIELD),
    # No price knows these either, not even for an instant.
    ({"rate": 1e7, "time_to_expiry": 1e-9}, "rate", Status.INVALID_RATE),
    ({"dividend_yield": -1e7, "time_to_expiry": 1e-9}, "dividend_yield", Status.INVALID_DIVIDEND_YIELD),
    # Of what a price may be only a contract tells that has one.
    ({"price": 1e300, "rate": 1e7}, "rate", Status.INVALID_RATE),
]


@pytest.mark.parametrize(("wrong", "argument", "status"), BAD)
def test_a_row_without_an_answer_says_why_and_spares_the_others(
    wrong: dict[str, float], argument: str, status: Status
) -> None:
    rows = 300
    columns = {name: np.full(rows, value) for name, value in CONTRACT.items() if name != "option_type"}
    for name, value in wrong.items():
        columns[name][137] = value
    volatility, statuses = black_scholes.implied_volatilities(option_type="call", **columns)
    assert statuses[137] == status
    assert math.isnan(volatility[137])
    others = np.arange(rows) != 137
    assert not statuses[others].any()
    np.testing.assert_allclose(volatility[others], black_scholes.implied_volatility(**CONTRACT), rtol=1e-14)
    with pytest.raises(DomainError, match=rf"^{argument}\[137\] must be"):
        black_scholes.implied_volatility(option_type="call", **columns)
    with pytest.raises(DomainError, match=rf"^{argument} must be"):
        black_scholes.implied_volatility(**(CONTRACT | wrong))


def test_an_unknown_option_type_in_a_column_is_a_status() -> None:
    _, status = black_scholes.implied_volatilities(10.0, np.array([1, 0, -1], np.int8), 100.0, 100.0, 1.0, 0.0, 0.0)
    assert status.tolist() == [Status.SOLVED, Status.INVALID_OPTION_TYPE, Status.SOLVED]
