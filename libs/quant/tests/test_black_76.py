"""Black's model on forwards against mpmath, QuantLib, and Black and Scholes on the spot below the forward."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import QuantLib

from quantmesh.quant import black_76, black_scholes
from quantmesh.quant.black_76 import Status
from quantmesh.quant.errors import DomainError

ROWS = np.array(
    [
        (1, 103.0, 110.0, 0.75, 0.03, 0.22),
        (-1, 103.0, 95.0, 2.0, -0.01, 0.45),
        (1, 50.0, 35.0, 0.1, 0.05, 0.6),
    ]
)


def exact_price(sign: Any, forward: Any, strike: Any, time: Any, rate: Any, volatility: Any) -> Any:
    deviation = volatility * mpmath.sqrt(time)
    d1 = mpmath.log(forward / strike) / deviation + deviation / 2
    parts = forward * mpmath.ncdf(sign * d1) - strike * mpmath.ncdf(sign * (d1 - deviation))
    return sign * mpmath.exp(-rate * time) * parts


def derivative(row: Any, *orders: int) -> float:
    """By forward, time, rate and volatility, so many times each; a derivative by time is by calendar time."""
    sign, forward, strike, time, rate, volatility = (mpmath.mpf(value) for value in row)

    def along(f: Any, t: Any, r: Any, v: Any) -> Any:
        return exact_price(sign, f, strike, t, r, v)

    with mpmath.workdps(50):
        value = float(mpmath.diff(along, (forward, time, rate, volatility), orders))
    return -value if orders[1] else value


def test_prices_match_quantlib() -> None:
    for sign, forward, strike, time, rate, volatility in ROWS:
        kind = QuantLib.Option.Call if sign == 1 else QuantLib.Option.Put
        oracle = QuantLib.blackFormula(kind, strike, forward, volatility * math.sqrt(time), math.exp(-rate * time))
        assert black_76.price(int(sign), forward, strike, time, rate, volatility) == pytest.approx(oracle, rel=1e-13)


def test_the_textbook_example() -> None:
    # Haug, "The Complete Guide to Option Pricing Formulas", section 1.1.4: options on Brent crude, call and put 1.7011.
    for kind in ("call", "put"):
        assert black_76.price(kind, 19, 19, 0.75, 0.10, 0.28) == pytest.approx(1.7011, abs=5e-5)


def test_greeks_of_all_orders_match_derivatives_at_an_unmoved_forward() -> None:
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
    columns = black_76.greeks(*ROWS.T, higher_orders=True)
    for index, row in enumerate(ROWS):
        alone = black_76.greeks(int(row[0]), *map(float, row[1:]), higher_orders=True)
        for name, orders in expected.items():
            exact = derivative(row, *orders)
            assert getattr(columns, name)[index] == pytest.approx(exact, rel=1e-9), (name, row)
            assert getattr(alone, name) == pytest.approx(exact, rel=1e-9), (name, row)


def test_a_forward_is_a_spot_that_has_been_carried() -> None:
    spot, dividend_yield = 100.0, 0.015
    for sign, _, strike, time, rate, volatility in ROWS:
        forward = spot * math.exp((rate - dividend_yield) * time)
        ours = black_76.price_and_greeks(int(sign), forward, strike, time, rate, volatility)
        theirs = black_scholes.price_and_greeks(int(sign), spot, strike, time, rate, dividend_yield, volatility)
        assert ours.price == pytest.approx(theirs.price, rel=1e-13)
        assert ours.vega == pytest.approx(theirs.vega, rel=1e-13)
        assert np.asarray(ours.delta) * forward == pytest.approx(np.asarray(theirs.delta) * spot, rel=1e-13)


def test_implied_volatilities_come_back_and_keep_their_shape() -> None:
    prices = np.asarray(black_76.price(*ROWS.T)).reshape(3, 1)
    contracts = [column.reshape(3, 1) for column in ROWS.T]
    found = black_76.implied_volatility(prices, *contracts[:5])
    np.testing.assert_allclose(found, contracts[5], rtol=1e-13)
    price = float(prices[0, 0])
    alone = black_76.implied_volatility(price, "call", 103.0, 110.0, 0.75, 0.03)
    assert isinstance(alone, float)
    assert alone == pytest.approx(0.22, rel=1e-13)


def test_errors_and_statuses_speak_of_the_forward() -> None:
    with pytest.raises(DomainError, match=r"^forward must be .*got -1"):
        black_76.price("call", -1.0, 100.0, 1.0, 0.01, 0.2)
    with pytest.raises(DomainError, match=r"^forward\[1\] must be"):
        black_76.greeks("call", [100.0, math.nan], 100.0, 1.0, 0.01, 0.2)
    with pytest.raises(DomainError, match=r"^rate must be"):
        black_76.price("call", 100.0, 100.0, 1.0, math.inf, 0.2)
    with pytest.raises(DomainError, match=r"^price must be below the discounted forward .*got 100"):
        black_76.implied_volatility(100.0, "call", 100.0, 100.0, 1.0, 0.0)
    quotes = black_76.implied_volatilities([5.0, 5.0], "call", [100.0, -1.0], 100.0, 1.0, 0.0)
    assert list(quotes.status) == [Status.SOLVED, Status.INVALID_FORWARD]


def test_at_expiry_and_without_volatility_only_the_intrinsic_value_is_left() -> None:
    assert black_76.price("call", 105, 100, 0, 0.03, 0.2) == 5.0
    assert black_76.price("put", 90, 100, 2, 0.03, 0.0) == pytest.approx(10 * math.exp(-0.06), rel=1e-14)
    assert black_76.greeks("call", 105, 100, 0, 0.03, 0.2).rho == 0.0


@pytest.mark.parametrize("volatility", [0.0, 0.2])
def test_amounts_that_a_rate_carries_out_of_sight_have_their_volatility(volatility: float) -> None:
    contract = (100.0, 100.0, 1.0, 400.0)
    price = black_76.price("put", *contract, volatility)
    assert black_76.implied_volatility(price, "put", *contract) == pytest.approx(volatility, rel=1e-12)
    found = black_76.implied_volatilities(np.full(3, price), "put", *contract)
    assert not found.status.any()
    np.testing.assert_allclose(found.volatility, volatility, rtol=1e-12)
