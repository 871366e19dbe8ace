"""Profits over scenarios against prices of single contracts with 30 digits, parity, limits, and additivity."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

from quantmesh.quant import _revaluation_kernels as kernels
from quantmesh.quant import american, black_scholes, revaluation
from quantmesh.quant._revaluation_market import market_of
from quantmesh.quant.book import Book
from quantmesh.quant.errors import DomainError
from quantmesh.quant.scenarios import Scenarios

Floats = NDArray[np.float64]
RNG = np.random.default_rng(11)
COUNT = 40
SPOTS = {"AAPL": 150.0, "SPY": 480.0, "VIX": 14.0}
YIELDS = {"AAPL": 0.005, "SPY": 0.013}
NAMES = RNG.choice(list(SPOTS), COUNT)
COLUMNS: dict[str, Any] = {
    "underlying": NAMES,
    "instrument": np.where(RNG.random(COUNT) < 0.2, "stock", "european"),
    "option_type": RNG.choice(["call", "put"], COUNT),
    "quantity": RNG.normal(0.0, 20.0, COUNT),
    "multiplier": 100.0,
    "strike": np.array([SPOTS[name] for name in NAMES]) * RNG.uniform(0.7, 1.4, COUNT),
    "time_to_expiry": RNG.uniform(0.01, 2.0, COUNT),
    "volatility": RNG.uniform(0.1, 0.6, COUNT),
}
BOOK = Book.of(SPOTS, **COLUMNS, dividend_yields=YIELDS, rate=0.03)
MOVES = RNG.normal(0.0, 0.15, (130, 3))


def exact_price(sign: int, spot: float, row: int, volatility: float, rate: float, elapsed: float) -> float:
    time, strike = mpmath.mpf(BOOK.time_to_expiry[row] - elapsed), mpmath.mpf(BOOK.strike[row])
    carry = mpmath.mpf(BOOK.dividend_yield[BOOK.underlying[row]])
    deviation = mpmath.mpf(volatility) * mpmath.sqrt(time)
    d1 = (mpmath.log(mpmath.mpf(spot) / strike) + (rate - carry) * time) / deviation + deviation / 2
    spot_part = spot * mpmath.exp(-carry * time) * mpmath.ncdf(sign * d1)
    return float(sign * (spot_part - strike * mpmath.exp(-rate * time) * mpmath.ncdf(sign * (d1 - deviation))))


def test_every_profit_is_the_difference_of_two_prices() -> None:
    scenarios = Scenarios(
        MOVES[:5],
        volatility_moves=RNG.normal(0.0, 0.2, (5, 1)),
        volatility_shifts=RNG.normal(0.0, 0.02, (5, 3)),
        rate_shifts=RNG.normal(0.0, 0.01, 5),
        elapsed_years=0.005,
    )
    assert scenarios.volatility_moves is not None
    assert scenarios.volatility_shifts is not None
    assert scenarios.rate_shifts is not None
    found = revaluation.revalue(BOOK, scenarios, by="position")
    for row in range(BOOK.size):
        for number in range(5):
            u = BOOK.underlying[row]
            spot = float(BOOK.spot[u] * (1.0 + MOVES[number, u]))
            if BOOK.sign[row] == 0:
                before, after = float(BOOK.spot[u]), spot
            else:
                volatility = BOOK.volatility[row] * (1.0 + scenarios.volatility_moves[number, 0])
                volatility += scenarios.volatility_shifts[number, u]
                rate = BOOK.rate + scenarios.rate_shifts[number]
                sign = int(BOOK.sign[row])
                before = exact_price(sign, float(BOOK.spot[u]), row, float(BOOK.volatility[row]), BOOK.rate, 0.0)
                after = exact_price(sign, spot, row, float(volatility), float(rate), 0.005)
            units = BOOK.quantity[row] * 100.0
            assert found.values[row] == pytest.approx(units * before, abs=1e-11 * abs(units))
            assert found.profits[row, number] == pytest.approx(units * (after - before), abs=1e-11 * abs(units))


@pytest.mark.parametrize("count", [1, 63, 64, 65, 130])
def test_sums_by_group_are_sums_of_positions(count: int) -> None:
    scenarios = Scenarios(MOVES[:count])
    positions = revaluation.revalue(BOOK, scenarios, by="position").profits
    assert positions.shape == (COUNT, count)
    whole = revaluation.revalue(BOOK, scenarios).profits
    np.testing.assert_allclose(whole, positions.sum(axis=0, keepdims=True), rtol=1e-12, atol=1e-8)
    by_underlying = revaluation.revalue(BOOK, scenarios, by="underlying").profits
    for index in range(3):
        expected = positions[BOOK.underlying == index].sum(axis=0)
        np.testing.assert_allclose(by_underlying[index], expected, rtol=1e-12, atol=1e-8)
    groups = np.arange(COUNT) % 4
    by_group = revaluation.revalue(BOOK, scenarios, by=groups).profits
    np.testing.assert_allclose(by_group[2], positions[groups == 2].sum(axis=0), rtol=1e-12, atol=1e-8)


def test_kernels_agree_with_their_python_twins() -> None:
    options = BOOK.where(BOOK.sign != 0)
    market = market_of(options, Scenarios(MOVES[:2], volatility_shifts=0.01, rate_shifts=0.002))
    columns = revaluation.european_columns(options, np.arange(options.size), 0.0, revaluation.present_values(options))
    compiled, plain = np.zeros((2, options.size, 64))
    kernels.add_europeans(*columns, *market, 0, 64, compiled)
    twin: Any = kernels._add_europeans
    twin(*columns, *market, 0, 64, plain)
    np.testing.assert_allclose(compiled, plain, rtol=1e-12, atol=1e-8)
    stocks = (options.underlying, np.arange(options.size), options.units, options.spots, market.spot_factor, 0, 64)
    kernels.add_stocks(*stocks, compiled)
    kernels._add_stocks(*stocks, plain)
    np.testing.assert_allclose(compiled, plain, rtol=1e-12, atol=1e-8)


def test_a_call_less_a_put_moves_as_the_forward() -> None:
    book = Book.of(
        {"X": 100.0},
        underlying="X",
        instrument="european",
        option_type=["call", "put"],
        quantity=[1.0, -1.0],
        strike=110.0,
        time_to_expiry=1.5,
        volatility=0.3,
        dividend_yields={"X": 0.02},
        rate=0.05,
    )
    moves = np.linspace(-0.9, 2.0, 50)[:, None]
    profits = revaluation.revalue(book, Scenarios(moves, volatility_shifts=0.1)).profits[0]
    np.testing.assert_allclose(profits, 100.0 * math.exp(-0.03) * moves[:, 0], atol=1e-12)


def test_no_move_is_no_profit_and_a_spot_of_zero_loses_the_stock() -> None:
    np.testing.assert_allclose(revaluation.revalue(BOOK, Scenarios(0.0)).profits, 0.0, atol=1e-8)
    stock = Book.of({"X": 50.0}, underlying=["X"], quantity=3.0)
    assert revaluation.revalue(stock, Scenarios(-1.0)).profits[0, 0] == -150.0
    put = Book.of(
        {"X": 50.0},
        underlying=["X"],
        instrument="european",
        option_type="put",
        quantity=1.0,
        strike=60.0,
        time_to_expiry=1.0,
        volatility=0.2,
    )
    assert revaluation.revalue(put, Scenarios(-1.0)).profits[0, 0] == pytest.approx(
        60.0 - black_scholes.price("put", 50.0, 60.0, 1.0, 0.0, 0.0, 0.2), rel=1e-13
    )


def test_options_that_expire_within_the_horizon_end_at_their_payoff() -> None:
    book = Book.of(
        {"X": 100.0},
        underlying="X",
        instrument="european",
        option_type=["call", "put"],
        quantity=2.0,
        strike=[95.0, 95.0],
        time_to_expiry=0.02,
        volatility=0.0,
    )
    aged = revaluation.revalue(book, Scenarios([[0.0], [-0.2]], elapsed_years=1.0), by="position")
    np.testing.assert_allclose(aged.profits + aged.values[:, None], [[10.0, 0.0], [0.0, 30.0]], atol=1e-12)


def test_volatility_that_would_turn_negative_is_zero() -> None:
    book = Book.of(
        {"X": 100.0},
        underlying=["X"],
        instrument="european",
        quantity=1.0,
        strike=90.0,
        time_to_expiry=1.0,
        volatility=0.2,
    )
    flat = revaluation.revalue(book, Scenarios(volatility_shifts=-0.5))
    assert flat.profits[0, 0] + flat.values[0] == pytest.approx(10.0, abs=1e-12)


AMERICANS = Book.of(SPOTS, **(COLUMNS | {"instrument": "american"}), dividend_yields=YIELDS, rate=0.03)
GRID_VOLATILITIES = np.repeat([-0.05, 0.0, 0.05], 6)


@pytest.mark.parametrize(
    "scenarios",
    [
        Scenarios(MOVES[:18]),
        Scenarios(MOVES[:18], volatility_shifts=GRID_VOLATILITIES[:, None], elapsed_years=0.02),
        Scenarios(MOVES[:6], volatility_moves=MOVES[6:12], rate_shifts=0.1 * MOVES[:6, 0]),
        Scenarios(MOVES[0], volatility_shifts=0.01),
    ],
    ids=["spots alone", "few volatilities", "all different", "one"],
)
def test_american_profits_are_differences_of_american_prices(scenarios: Scenarios) -> None:
    found = revaluation.revalue(AMERICANS, scenarios, by="position", american_accuracy="accurate")
    u = AMERICANS.underlying[:, None]
    volatility, rate = AMERICANS.volatility[:, None], np.full((1, 1), AMERICANS.rate)
    for moves, relative in ((scenarios.volatility_moves, True), (scenarios.volatility_shifts, False)):
        if moves is not None:
            table = np.broadcast_to(moves, scenarios.spot_moves.shape).T[AMERICANS.underlying]
            volatility = np.maximum(volatility * (1.0 + table) if relative else volatility + table, 0.0)
    if scenarios.rate_shifts is not None:
        rate = rate + scenarios.rate_shifts
    time = np.maximum(AMERICANS.time_to_expiry - scenarios.elapsed_years, 0.0)[:, None]
    sign, strike, carry = AMERICANS.sign[:, None], AMERICANS.strike[:, None], AMERICANS.dividend_yield[u]
    spot = AMERICANS.spot[u] * (1.0 + scenarios.spot_moves.T[AMERICANS.underlying])
    before = american.price(
        sign,
        AMERICANS.spot[u],
        strike,
        AMERICANS.time_to_expiry[:, None],
        AMERICANS.rate,
        carry,
        AMERICANS.volatility[:, None],
    )
    after = american.price(sign, spot, strike, time, rate, carry, volatility)
    expected = AMERICANS.units[:, None] * (np.asarray(after) - np.asarray(before))
    np.testing.assert_allclose(found.profits, expected, atol=1e-8 * float(np.abs(expected).max()))
    np.testing.assert_allclose(
        revaluation.revalue(AMERICANS, scenarios, by="underlying", american_accuracy="accurate").profits[1],
        found.profits[AMERICANS.underlying == 1].sum(axis=0),
        rtol=1e-10,
        atol=1e-6,
    )


def test_a_mixed_book_is_the_sum_of_its_parts() -> None:
    kinds = RNG.choice(["stock", "european", "american"], COUNT)
    mixed = Book.of(SPOTS, **(COLUMNS | {"instrument": kinds}), dividend_yields=YIELDS, rate=0.03)
    scenarios = Scenarios(MOVES[:7], volatility_shifts=0.01)
    whole = revaluation.revalue(mixed, scenarios).profits
    parts = sum(revaluation.revalue(mixed.where(mixed.instrument == kind), scenarios).profits for kind in range(3))
    np.testing.assert_allclose(whole, parts, rtol=1e-10)


def test_an_american_call_without_dividends_is_a_european_one() -> None:
    books = [
        Book.of(
            {"X": 100.0},
            underlying=["X"],
            instrument=kind,
            quantity=1.0,
            strike=[90.0, 110.0],
            time_to_expiry=0.5,
            volatility=0.3,
            rate=0.04,
        )
        for kind in ("european", "american")
    ]
    profits = [revaluation.revalue(book, Scenarios(MOVES[:, :1]), by="position").profits for book in books]
    np.testing.assert_allclose(profits[0], profits[1], atol=1e-11)


def test_an_empty_book_has_no_profits() -> None:
    nothing = BOOK.where(np.zeros(COUNT, bool))
    np.testing.assert_array_equal(revaluation.revalue(nothing, Scenarios(MOVES)).profits, np.zeros((1, 130)))


@pytest.mark.parametrize(
    ("argument", "changes"),
    [
        ("underlying", {"underlying": "TSLA"}),
        ("instrument", {"instrument": "swap"}),
        ("option_type", {"option_type": "straddle", "instrument": "european"}),
        ("strike", {"strike": -1.0, "instrument": "european"}),
        ("quantity", {"quantity": math.inf}),
        ("multiplier", {"multiplier": 0.0}),
        ("volatility", {"volatility": math.nan, "instrument": "european"}),
        ("dividend_yields", {"dividend_yields": {"TSLA": 0.0}}),
        ("rate", {"rate": math.nan}),
    ],
)
def test_what_is_wrong_in_a_book_is_named(argument: str, changes: dict[str, Any]) -> None:
    with pytest.raises(DomainError) as caught:
        Book.of(SPOTS, **(COLUMNS | changes))
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("argument", "moves", "options"),
    [
        ("spot_moves", -1.5, {}),
        ("spot_moves", math.nan, {}),
        ("spot_moves", np.zeros((2, 2)), {}),
        ("spot_moves", 1e99, {}),
        ("volatility_moves", 0.0, {"volatility_moves": -1.1}),
        ("volatility_shifts", np.zeros((3, 3)), {"volatility_shifts": np.zeros((2, 3))}),
        ("volatility_moves", 0.0, {"volatility_shifts": 1e7}),
        ("rate_shifts", 0.0, {"rate_shifts": 300.0}),
        ("elapsed_years", 0.0, {"elapsed_years": -1.0}),
    ],
)
def test_what_is_wrong_in_scenarios_is_named(argument: str, moves: Any, options: dict[str, Any]) -> None:
    with pytest.raises(DomainError) as caught:
        revaluation.revalue(BOOK, Scenarios(moves, **options))
    assert caught.value.argument == argument


@pytest.mark.parametrize("by", ["sector", np.zeros(3, int), np.full(COUNT, -1), np.zeros(COUNT)])
def test_groups_that_are_none_are_refused(by: Any) -> None:
    with pytest.raises(DomainError, match="by"):
        revaluation.revalue(BOOK, Scenarios(0.0), by=by)
