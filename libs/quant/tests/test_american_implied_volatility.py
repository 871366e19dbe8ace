"""Implied volatilities of American prices: round trips, and why a price has none."""

import math
from typing import Any

import numpy as np
import pytest

from quantmesh.quant import american as typed_american
from quantmesh.quant import black_scholes as typed_black_scholes
from quantmesh.quant.black_scholes import Status
from quantmesh.quant.errors import DomainError

# Contracts are unpacked from tuples before other arguments, which the type checker cannot follow.
american: Any = typed_american
black_scholes: Any = typed_black_scholes

CONTRACT: Any = ("put", 100.0, 100.0, 1.0, 0.05, 0.0)


def test_round_trips_find_the_volatility_wherever_the_price_depends_on_it() -> None:
    generator = np.random.default_rng(5)
    rows = 400
    sign = generator.choice([-1, 1], rows)
    spot = 100.0 * np.exp(generator.uniform(-0.5, 0.5, rows))
    time, volatility = generator.uniform(0.05, 3.0, rows), generator.uniform(0.05, 0.8, rows)
    rate, dividend_yield = generator.uniform(-0.02, 0.1, rows), generator.uniform(0.0, 0.1, rows)
    contract: Any = (sign, spot, 100.0, time, rate, dividend_yield)
    prices = american.price(*contract, volatility)
    found, statuses = american.implied_volatilities(prices, *contract)
    assert not statuses.any()
    np.testing.assert_allclose(american.price(*contract, found), prices, rtol=0, atol=1e-11)
    determined = np.asarray(american.greeks(*contract, volatility).vega) > 1e-3
    assert determined.mean() > 0.8
    np.testing.assert_allclose(found[determined], volatility[determined], rtol=0, atol=1e-9)


def test_two_boundaries_have_implied_volatilities_too() -> None:
    contract: Any = ("put", [95.0, 105.0], 100.0, 1.0, -0.01, -0.03)
    prices = american.price(*contract, 0.15)
    np.testing.assert_allclose(american.implied_volatility(prices, *contract), 0.15, rtol=0, atol=1e-6)


def test_where_early_exercise_never_pays_it_is_the_european_volatility() -> None:
    contract: Any = ("call", [90.0, 110.0], 100.0, 1.0, 0.05, 0.0)
    prices = [7.0, 20.0]
    european = black_scholes.implied_volatility(prices, *contract)
    np.testing.assert_allclose(american.implied_volatility(prices, *contract), european, rtol=1e-10)


def test_a_price_above_every_european_one_still_has_a_volatility() -> None:
    """The European put is worth less than the discounted strike, the American one less than the strike."""
    price = 98.0
    assert black_scholes.implied_volatilities(price, *CONTRACT).status == Status.ABOVE_BOUND
    volatility = american.implied_volatility(price, *CONTRACT)
    assert american.price(*CONTRACT, volatility) == pytest.approx(price, abs=1e-9)


def test_the_intrinsic_value_gives_zero() -> None:
    assert american.implied_volatility(10.0, "put", 90.0, 100.0, 1.0, 0.05, 0.0) == 0.0


def test_statuses_say_why_there_is_none() -> None:
    prices = [6.0, 9.99, 100.0, -1.0, math.nan, 6.0, 6.0]
    spots = [100.0, 90.0, 100.0, 100.0, 100.0, -5.0, 100.0]
    kinds = [-1, -1, -1, -1, -1, -1, 0]
    volatilities, statuses = american.implied_volatilities(prices, kinds, spots, 100.0, 1.0, 0.05, 0.0)
    expected = [
        Status.SOLVED,
        Status.BELOW_INTRINSIC,
        Status.ABOVE_BOUND,
        Status.INVALID_PRICE,
        Status.INVALID_PRICE,
        Status.INVALID_SPOT,
        Status.INVALID_OPTION_TYPE,
    ]
    assert statuses.tolist() == expected
    np.testing.assert_array_equal(np.isnan(volatilities), statuses != 0)


@pytest.mark.parametrize(
    ("price", "message"),
    [
        (0.5, "price must be at least what the option is worth without volatility, got 0.5"),
        (100.0, "price must be below"),
        (math.nan, "price must be"),
    ],
)
def test_a_price_without_a_volatility_raises(price: float, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        american.implied_volatility(price, "put", 99.0, 100.0, 1.0, 0.05, 0.0)


def test_scalars_give_floats_and_arrays_keep_their_shape() -> None:
    assert type(american.implied_volatility(6.0, *CONTRACT)) is float
    assert np.shape(american.implied_volatility([[6.0], [7.0]], *CONTRACT)) == (2, 1)
