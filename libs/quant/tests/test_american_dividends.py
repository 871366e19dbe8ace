"""Cash dividends by finite differences, against closed forms, parity and QuantLib's grid."""

import math
from typing import Any

import numpy as np
import pytest
import QuantLib

from quantmesh.quant import american as typed_american
from quantmesh.quant import black_scholes as typed_black_scholes
from quantmesh.quant.errors import DomainError

# Contracts are unpacked from tuples before other arguments, which the type checker cannot follow.
american: Any = typed_american
black_scholes: Any = typed_black_scholes

_DAYS = 365
TERMS = (1.0, 0.05, 0.01, 0.25)  # time to expiry, rate, dividend yield, volatility


def quantlib_price(sign: int, spot: float, dividends: dict[int, float], *, early: bool) -> float:
    """A strike of 100, `TERMS` and cash dividends by days, with QuantLib's model of a spot that falls by them."""
    today = QuantLib.Date(15, 6, 2022)
    QuantLib.Settings.instance().evaluationDate = today
    count = QuantLib.Actual365Fixed()
    process = QuantLib.BlackScholesMertonProcess(
        QuantLib.QuoteHandle(QuantLib.SimpleQuote(spot)),
        QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, TERMS[2], count)),
        QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, TERMS[1], count)),
        QuantLib.BlackVolTermStructureHandle(
            QuantLib.BlackConstantVol(today, QuantLib.NullCalendar(), TERMS[3], count)
        ),
    )
    expiry = today + QuantLib.Period(_DAYS, QuantLib.Days)
    exercise = QuantLib.AmericanExercise(today, expiry) if early else QuantLib.EuropeanExercise(expiry)
    payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Call if sign > 0 else QuantLib.Option.Put, 100.0)
    option = QuantLib.VanillaOption(payoff, exercise)
    dates = [today + QuantLib.Period(days, QuantLib.Days) for days in dividends]
    schedule = QuantLib.DividendVector(dates, [*dividends.values()])
    option.setPricingEngine(QuantLib.FdBlackScholesVanillaEngine(process, schedule, 800, 800))
    return float(option.NPV())


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("early", [True, False])
def test_prices_agree_with_quantlibs_grid(sign: int, early: bool) -> None:
    dividends = {60: 2.0, 240: 3.0}
    for spot in (90.0, 104.0, 120.0):
        ours = american.price_with_dividends(
            sign,
            spot,
            100.0,
            *TERMS,
            [days / _DAYS for days in dividends],
            [*dividends.values()],
            exercise="american" if early else "european",
        )
        assert ours == pytest.approx(quantlib_price(sign, spot, dividends, early=early), abs=2e-3)


@pytest.mark.parametrize("kind", ["call", "put"])
def test_without_dividends_it_is_the_european_or_the_american_price(kind: str) -> None:
    contract: Any = (kind, [80.0, 100.0, 125.0], 100.0, *TERMS)
    for dividends in (([], []), ([2.0], [5.0]), ([0.5], [0.0])):
        american_price = american.price_with_dividends(*contract, *dividends, accuracy="high_precision")
        european_price = american.price_with_dividends(
            *contract, *dividends, exercise="european", accuracy="high_precision"
        )
        exact = american.price(*contract, accuracy="high_precision")
        np.testing.assert_allclose(american_price, exact, rtol=0, atol=2e-6)
        np.testing.assert_allclose(european_price, black_scholes.price(*contract), rtol=0, atol=2e-6)


@pytest.mark.parametrize("kind", ["call", "put"])
def test_a_dividend_at_either_end_moves_the_strike_or_the_spot(kind: str) -> None:
    spots = np.array([85.0, 100.0, 118.0])
    contract: Any = (kind, spots, 100.0, *TERMS)
    at_expiry = american.price_with_dividends(*contract, [1.0], [4.0], exercise="european")
    np.testing.assert_allclose(at_expiry, black_scholes.price(kind, spots, 104.0, *TERMS), rtol=0, atol=1e-4)
    at_once = american.price_with_dividends(*contract, [1e-8], [4.0], exercise="european")
    np.testing.assert_allclose(at_once, black_scholes.price(kind, spots - 4.0, 100.0, *TERMS), rtol=0, atol=1e-4)


def test_european_prices_keep_parity() -> None:
    time, rate, dividend_yield, _ = TERMS
    times, amounts = np.array([0.7, 0.2]), np.array([3.0, 2.0])
    call, put = np.asarray(
        american.price_with_dividends(["call", "put"], 100.0, 95.0, *TERMS, times, amounts, exercise="european")
    )
    # A share held to expiry grows by its yield, of which a dividend takes what is left of that growth.
    paid = (amounts * np.exp(-rate * times - dividend_yield * (time - times))).sum()
    forward = 100.0 * math.exp(-dividend_yield * time) - paid - 95.0 * math.exp(-rate * time)
    assert call - put == pytest.approx(forward, abs=1e-5)


def test_far_out_of_the_money_no_price_is_negative() -> None:
    for exercise in ("american", "european"):
        prices = american.price_with_dividends(
            "call", [5.0, 20.0, 40.0, 60.0], 100.0, *TERMS, [0.5], [2.0], exercise=exercise, accuracy="fast"
        )
        assert (np.asarray(prices) >= 0.0).all()


def test_a_call_is_exercised_just_before_a_large_dividend() -> None:
    contract: Any = ("call", 140.0, 100.0, 1.0, 0.0, 0.0, 0.1)
    price = american.price_with_dividends(*contract, [0.5], [50.0])
    assert price == pytest.approx(float(black_scholes.price("call", 140.0, 100.0, 0.5, 0.0, 0.0, 0.1)), abs=1e-3)


def test_without_volatility_the_best_time_is_known() -> None:
    prices = american.price_with_dividends("call", [100.0, 0.0], [90.0, 100.0], 1.0, 0.05, 0.0, 0.0, [0.5], [20.0])
    np.testing.assert_allclose(prices, [100.0 - 90.0 * math.exp(-0.025), 0.0])
    put = american.price_with_dividends("put", 100.0, 90.0, 1.0, 0.05, 0.0, 0.0, [0.5], [200.0])
    assert put == pytest.approx(90.0 * math.exp(-0.025))
    assert american.price_with_dividends("put", 95.0, 100.0, 0.0, 0.05, 0.0, 0.2, [0.5], [20.0]) == 5.0


@pytest.mark.parametrize("kind", ["call", "put"])
def test_greeks_without_dividends_are_the_american_ones(kind: str) -> None:
    """Of another method: spectral collocation."""
    contract: Any = (kind, [85.0, 100.0, 118.0], 100.0, *TERMS)
    found = american.price_and_greeks_with_dividends(*contract, [2.0], [5.0])
    exact = american.price_and_greeks(*contract, accuracy="high_precision")
    for name, error in {"delta": 1e-4, "gamma": 1e-5, "vega": 2e-2, "theta": 1e-2, "rho": 2e-2}.items():
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), rtol=0, atol=error, err_msg=name)


@pytest.mark.parametrize("kind", ["call", "put"])
def test_greeks_of_early_exercise_are_slopes_of_finer_prices(kind: str) -> None:
    spot, dividends = 104.0, (np.array([60.0, 240.0]) / _DAYS, np.array([2.0, 3.0]))
    found = american.price_and_greeks_with_dividends(kind, spot, 100.0, *TERMS, *dividends)

    def price(spot: float, time: float, rate: float, volatility: float, days: float = 0.0) -> float:
        terms = (time, rate, TERMS[2], volatility, dividends[0] + days, dividends[1])
        return float(american.price_with_dividends(kind, spot, 100.0, *terms, accuracy="high_precision"))

    time, rate, _, volatility = TERMS
    expected = {
        "delta": (price(spot + 0.5, time, rate, volatility) - price(spot - 0.5, time, rate, volatility)) / 1.0,
        "theta": (price(spot, 0.999, rate, volatility, -1e-3) - price(spot, 1.001, rate, volatility, 1e-3)) / 2e-3,
        "vega": (price(spot, time, rate, 0.252) - price(spot, time, rate, 0.248)) / 4e-3,
        "rho": (price(spot, time, 0.052, volatility) - price(spot, time, 0.048, volatility)) / 4e-3,
    }
    for name, error in {"delta": 2e-4, "theta": 2e-2, "vega": 2e-2, "rho": 3e-2}.items():
        assert getattr(found, name) == pytest.approx(expected[name], abs=error), name


def test_an_exercised_option_moves_with_the_spot_alone() -> None:
    put = american.price_and_greeks_with_dividends("put", 50.0, 100.0, *TERMS, [0.9], [1.0])
    assert put == (50.0, -1.0, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("spot", [1e5, 1e10, 1e90])
@pytest.mark.parametrize("exercise", ["american", "european"])
def test_far_above_the_strike_a_call_is_worth_its_forward_or_its_exercise(spot: float, exercise: str) -> None:
    time, rate, dividend_yield, _ = TERMS
    found = american.price_and_greeks_with_dividends("call", spot, 100.0, *TERMS, [0.5], [3.0], exercise=exercise)
    discount = math.exp(-dividend_yield * time)
    paid = 3.0 * math.exp(-rate * 0.5 - dividend_yield * 0.5)
    held = spot * discount - paid - 100.0 * math.exp(-rate * time)
    assert found.price == pytest.approx(spot - 100.0 if exercise == "american" else held, rel=1e-13)
    assert found.delta == pytest.approx(1.0 if exercise == "american" else discount, rel=1e-11)
    assert (found.gamma, found.vega) == (0.0, 0.0)
    assert american.price_with_dividends("put", spot, 100.0, *TERMS, [0.5], [3.0], exercise=exercise) == 0.0


@pytest.mark.parametrize("spot", [1e-5, 1e-90, 0.0])
def test_far_below_the_next_dividend_a_put_is_worth_its_strike(spot: float) -> None:
    american_put = american.price_and_greeks_with_dividends("put", spot, 100.0, *TERMS, [0.5], [3.0])
    assert (american_put.price, american_put.delta) == (100.0 - spot, -1.0)
    european = american.price_and_greeks_with_dividends("put", spot, 100.0, *TERMS, [0.5], [3.0], exercise="european")
    bond = 100.0 * math.exp(-TERMS[1] * TERMS[0])
    assert (european.price, european.delta, european.vega) == (pytest.approx(bond, rel=1e-14), 0.0, 0.0)
    assert european.theta == pytest.approx(TERMS[1] * bond, rel=1e-12)
    assert european.rho == pytest.approx(-TERMS[0] * bond, rel=1e-6)


def test_answers_far_off_meet_the_grids_where_it_ends() -> None:
    """At the same 10 deviations that part them."""
    far = 103.0 * math.exp(10.0 * TERMS[3] + abs(TERMS[1] - TERMS[2] - 0.5 * TERMS[3] ** 2))
    spots = far * np.array([1.0 - 1e-9, 1.0 + 1e-9])
    on_grid, certain = american.price_with_dividends("call", spots, 100.0, *TERMS, [0.5], [3.0], exercise="european")
    assert on_grid == pytest.approx(certain, rel=1e-6)


def test_more_deviation_than_a_grid_can_span_is_refused() -> None:
    with pytest.raises(DomainError, match=r"volatility\[1\] must be at most 3 over 1 years with cash dividends"):
        american.price_with_dividends("call", 100.0, 100.0, 1.0, 0.05, 0.0, [0.2, 3.1], [0.5], [3.0])


def test_a_dividend_that_is_not_one_is_named() -> None:
    contract: Any = ("call", 100.0, 100.0, *TERMS)
    for times, amounts, message in (
        ([0.5], [-1.0], r"dividend_amounts\[0\] must be a finite amount, not negative, got -1"),
        ([0.5, math.nan], [1.0, 1.0], r"dividend_times\[1\] must be a positive number of years"),
        ([0.0], [1.0], r"dividend_times\[0\] must be"),
        ([0.5], [1.0, 2.0], "dividend_amounts must be one per dividend time"),
    ):
        with pytest.raises(DomainError, match=message):
            american.price_with_dividends(*contract, times, amounts)
    unknown: Any = "bermudan"
    with pytest.raises(DomainError, match="exercise must be"):
        american.price_with_dividends(*contract, [0.5], [1.0], exercise=unknown)
    with pytest.raises(DomainError, match="spot must be"):
        american.price_with_dividends("call", -1.0, 100.0, *TERMS, [0.5], [1.0])
