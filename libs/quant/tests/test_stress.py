"""Stress tests against sums by hand, closed forms, Monte Carlo searches and additivity."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quantmesh.quant import black_scholes, revaluation, stress
from quantmesh.quant.book import Book
from quantmesh.quant.errors import DomainError
from quantmesh.quant.scenarios import Scenarios
from quantmesh.quant.stress import Shock

Floats = NDArray[np.float64]
STOCKS = Book.of({"A": 100.0, "B": 50.0}, underlying=["A", "B"], quantity=[10.0, -30.0])
MIXED = Book.of(
    {"A": 100.0, "B": 50.0},
    underlying=["A", "A", "B"],
    instrument=["stock", "european", "european"],
    option_type=["call", "put", "call"],
    quantity=[100.0, -5.0, -4.0],
    multiplier=[1.0, 100.0, 100.0],
    strike=[0.0, 90.0, 52.0],
    time_to_expiry=[0.0, 0.25, 0.5],
    volatility=[0.0, 0.3, 0.35],
    rate=0.02,
)
COVARIANCE = np.array([[4e-4, 1e-4], [1e-4, 9e-4]])


def test_custom_shocks_move_each_underlying_as_told() -> None:
    shocks = {
        "A": Shock(spot_move=-0.1, spot_shift=-2.0, volatility_move=0.5, volatility_shift=0.02),
        "B": Shock(spot_shift=5.0),
    }
    found = stress.custom(MIXED, shocks, rate_shift=0.01, elapsed_years=0.1)
    after = [
        88.0,
        black_scholes.price("put", 88.0, 90.0, 0.15, 0.03, 0.0, 0.47),
        black_scholes.price("call", 55.0, 52.0, 0.4, 0.03, 0.0, 0.35),
    ]
    np.testing.assert_allclose(found.values + found.profits, np.array(after) * MIXED.units, rtol=1e-12)
    assert found.profit == pytest.approx(found.profits.sum(), rel=1e-15)


def test_what_no_shock_names_stays() -> None:
    found = stress.custom(STOCKS, {"B": Shock(spot_move=0.1)})
    np.testing.assert_allclose(found.profits, [0.0, -150.0])
    assert stress.custom(STOCKS, {}).profit == 0.0


def test_factors_move_spots_by_their_loadings() -> None:
    shocks = stress.through_factors(
        {"A": {"market": 1.2, "oil": -0.5}, "B": {"market": 0.8}}, {"market": -0.2, "oil": 0.1}
    )
    assert shocks["A"].spot_move == pytest.approx(-0.29)
    assert stress.custom(STOCKS, shocks).profit == pytest.approx(1_000 * -0.29 - 1_500 * -0.16)


def test_an_episode_compounds_and_shows_its_worst_day() -> None:
    returns = np.array([[-0.1, 0.0], [-0.1, 0.1], [0.2, -0.05]])
    found = stress.historical(STOCKS, returns)
    by_hand = 1_000 * np.array([-0.1, -0.19, 0.81 * 1.2 - 1.0]) - 1_500 * np.array([0.0, 0.1, 1.1 * 0.95 - 1.0])
    np.testing.assert_allclose(found.path, by_hand)
    assert found.worst_day == 1
    assert found.worst.profit == pytest.approx(by_hand[1])
    assert found.last.profit == pytest.approx(by_hand[2])


def test_an_episode_may_move_volatilities_too() -> None:
    returns, volatilities = np.full((4, 2), -0.03), np.full((4, 2), 0.1)
    found = stress.historical(MIXED, returns, volatility_moves=volatilities)
    move, volatility = 0.97**4 - 1.0, 1.1**4 - 1.0
    expected = stress.custom(MIXED, {name: Shock(move, volatility_move=volatility) for name in ("A", "B")})
    assert found.last.profit == pytest.approx(expected.profit, rel=1e-12)
    np.testing.assert_allclose(found.last.profits, expected.profits, rtol=1e-12)


def test_the_nearest_loss_of_stocks_is_in_closed_form() -> None:
    exposures = np.array([1_000.0, -1_500.0])
    deviation = math.sqrt(exposures @ COVARIANCE @ exposures)
    found = stress.reverse(STOCKS, COVARIANCE, 100.0)
    assert found.is_exact
    assert found.distance == pytest.approx(100.0 / deviation, rel=1e-12)
    np.testing.assert_allclose(found.spot_moves, -100.0 * COVARIANCE @ exposures / deviation**2, rtol=1e-12)
    assert found.stress.profit == pytest.approx(-100.0, rel=1e-12)


def test_the_search_finds_the_closed_form_where_options_are_stocks_in_disguise() -> None:
    forwards = Book.of(
        {"A": 100.0, "B": 50.0},
        underlying=["A", "A", "B"],
        instrument=["european", "european", "stock"],
        option_type=["call", "put", "call"],
        quantity=[10.0, -10.0, -30.0],
        strike=[100.0, 100.0, 0.0],
        time_to_expiry=[0.5, 0.5, 0.0],
        volatility=[0.3, 0.3, 0.0],
    )
    exact, searched = (stress.reverse(book, COVARIANCE, 100.0) for book in (STOCKS, forwards))
    assert not searched.is_exact
    assert searched.distance == pytest.approx(exact.distance, rel=1e-6)
    np.testing.assert_allclose(searched.spot_moves, exact.spot_moves, rtol=1e-3)


def test_no_random_move_nearer_than_the_answer_loses_as_much() -> None:
    loss = 4_000.0
    found = stress.reverse(MIXED, COVARIANCE, loss)
    assert found.stress.profit == pytest.approx(-loss, rel=1e-6)
    assert found.stress.profits.sum() == pytest.approx(found.stress.profit, rel=1e-12)
    generator = np.random.default_rng(1)
    directions = generator.standard_normal((20_000, 2))
    directions *= found.distance * 0.999 / np.linalg.norm(directions, axis=1, keepdims=True)
    moves = directions @ np.linalg.cholesky(COVARIANCE).T
    assert revaluation.revalue(MIXED, Scenarios(moves)).profits.min() > -loss


def test_volatilities_and_the_rate_may_be_factors_of_the_search() -> None:
    factors = np.zeros((5, 5))
    factors[:2, :2], factors[2:, 2:] = COVARIANCE, np.diag([4e-3, 4e-3, 1e-6])
    wide, narrow = stress.reverse(MIXED, factors, 4_000.0), stress.reverse(MIXED, COVARIANCE, 4_000.0)
    assert wide.distance < narrow.distance
    assert np.any(wide.volatility_moves > 0.0)
    moved = Scenarios(wide.spot_moves, volatility_moves=wide.volatility_moves, rate_shifts=[wide.rate_shift])
    assert revaluation.revalue(MIXED, moved).profits[0, 0] == pytest.approx(-4_000.0, rel=1e-6)


def test_a_loss_beyond_what_the_book_can_lose_is_told() -> None:
    option = Book.of(
        {"A": 100.0},
        underlying="A",
        instrument="european",
        quantity=[1.0],
        strike=100.0,
        time_to_expiry=0.5,
        volatility=0.2,
    )
    worth = float(revaluation.present_values(option)[0])
    with pytest.raises(DomainError, match="at most") as caught:
        stress.reverse(option, [[4e-4]], 2.0 * worth)
    assert caught.value.argument == "loss"
    assert stress.reverse(option, [[4e-4]], 0.5 * worth).stress.profit == pytest.approx(-0.5 * worth, rel=1e-6)


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("shocks", lambda: stress.custom(STOCKS, {"C": Shock(-0.1)})),
        ("shocks", lambda: stress.custom(STOCKS, {"A": Shock(math.nan)})),
        ("spot_moves", lambda: stress.custom(STOCKS, {"A": Shock(-1.5)})),
        ("moves", lambda: stress.through_factors({"A": {"oil": 1.0}}, {"market": 0.1})),
        ("returns", lambda: stress.historical(STOCKS, [[0.1]])),
        ("returns", lambda: stress.historical(STOCKS, [[0.1, -1.2]])),
        ("volatility_moves", lambda: stress.historical(STOCKS, [[0.1, 0.1]], volatility_moves=[[0.1, 0.1]] * 2)),
        ("loss", lambda: stress.reverse(STOCKS, COVARIANCE, -1.0)),
        ("covariance", lambda: stress.reverse(STOCKS, np.eye(3), 1.0)),
        ("loss", lambda: stress.reverse(STOCKS.where(np.zeros(2, bool)), COVARIANCE, 1.0)),
    ],
)
def test_what_is_out_of_domain_is_named(argument: str, call: Callable[[], Any]) -> None:
    with pytest.raises(DomainError) as caught:
        call()
    assert caught.value.argument == argument
