"""Filtered historical and Monte Carlo value at risk against closed forms, recursions by hand, and additivity."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from quantmesh.quant import garch, revaluation, value_at_risk
from quantmesh.quant.book import Book
from quantmesh.quant.errors import DomainError
from quantmesh.quant.scenarios import Scenarios

Floats = NDArray[np.float64]
RNG = np.random.default_rng(3)
COVARIANCE = np.array([[1e-4, 4e-5, 0.0], [4e-5, 2.5e-4, -3e-5], [0.0, -3e-5, 4e-4]])
RETURNS = RNG.multivariate_normal(np.zeros(3), COVARIANCE, 400)
EXPOSURES = np.array([1_000.0, -400.0, 700.0])
BOOK = Book.of(
    {"A": 100.0, "B": 50.0},
    underlying=["A", "A", "B", "B"],
    instrument=["stock", "european", "european", "stock"],
    option_type=["call", "put", "call", "call"],
    quantity=[100.0, -3.0, 5.0, -40.0],
    multiplier=[1.0, 100.0, 100.0, 1.0],
    strike=[0.0, 95.0, 55.0, 0.0],
    time_to_expiry=[0.0, 0.25, 0.5, 0.0],
    volatility=[0.0, 0.25, 0.4, 0.0],
    rate=0.02,
)
SHOCKS = np.array([[1.5e-4, 5e-5], [5e-5, 4e-4]])


@pytest.mark.parametrize("volatility", ["garch", "ewma"])
def test_one_day_rescales_every_past_day_to_todays_volatility(volatility: Any) -> None:
    figure = value_at_risk.filtered_historical(RETURNS, EXPOSURES, volatility=volatility, confidence=0.95)
    fitted = [garch.fit(column) if volatility == "garch" else garch.ewma(column, demean=True) for column in RETURNS.T]
    losses = np.zeros(400)
    for one, exposure in zip(fitted, EXPOSURES, strict=True):
        losses -= exposure * one.residuals / np.sqrt(one.variances) * math.sqrt(one.next_variance)
    assert figure.value == pytest.approx(np.quantile(losses, 0.95, method="inverted_cdf"), rel=1e-12)
    assert figure.standard_error is None


def test_several_days_draw_whole_days_and_move_the_variance_with_every_return() -> None:
    figure = value_at_risk.filtered_historical(
        RETURNS, EXPOSURES, volatility="ewma", horizon_days=3, paths=50, seed=9, confidence=0.9
    )
    fitted = [garch.ewma(column, demean=True) for column in RETURNS.T]
    draws = np.random.default_rng(9)
    days = [draws.integers(0, 400, 50) for _ in range(3)]
    losses = np.zeros(50)
    for path in range(50):
        for asset, one in enumerate(fitted):
            growth, variance = 1.0, one.next_variance
            for day in days:
                drawn = one.standardized[day[path]] * math.sqrt(variance)
                growth *= 1.0 + drawn
                variance = 0.94 * variance + 0.06 * drawn * drawn
            losses[path] -= EXPOSURES[asset] * (growth - 1.0)
    shortfall = np.sort(losses)[-5:].mean()
    assert figure.expected_shortfall == pytest.approx(shortfall, rel=1e-10)
    assert np.sort(losses)[40] <= figure.value <= np.sort(losses)[49]


def test_the_same_seed_gives_the_same_figure() -> None:
    figures = [
        value_at_risk.filtered_historical(RETURNS, EXPOSURES, horizon_days=5, paths=500, seed=seed)
        for seed in (1, 1, 2)
    ]
    assert figures[0].value == figures[1].value != figures[2].value


def test_an_asset_that_never_moved_adds_nothing() -> None:
    still = np.column_stack([RETURNS, np.zeros(400)])
    figure = value_at_risk.filtered_historical(still, [*EXPOSURES, 1e6], volatility="ewma", horizon_days=2, paths=200)
    assert figure.contributions[3] == 0.0
    assert figure.incremental[3] == 0.0


def test_monte_carlo_of_stocks_is_the_quantile_of_lognormal_losses() -> None:
    stock = Book.of({"A": 100.0}, underlying=["A"], quantity=10.0)
    figure = value_at_risk.monte_carlo(stock, [[4e-4]], paths=20_000, horizon_days=4)
    exact = 1_000.0 * (1.0 - math.exp(0.04 * stats.norm.ppf(0.01)))
    assert figure.standard_error is not None
    assert figure.shortfall_standard_error is not None
    assert abs(figure.value - exact) < 3.0 * figure.standard_error
    shortfall = 1_000.0 * (1.0 - math.exp(0.0008) * stats.norm.cdf(stats.norm.ppf(0.01) - 0.04) / 0.01)
    assert abs(figure.expected_shortfall - shortfall) < 3.0 * figure.shortfall_standard_error


def test_students_t_has_the_given_covariance_and_a_longer_tail() -> None:
    stock = Book.of({"A": 100.0}, underlying=["A"], quantity=10.0)
    figure = value_at_risk.monte_carlo(stock, [[4e-4]], distribution="student_t", degrees_of_freedom=4.0, paths=20_000)
    exact = 1_000.0 * (1.0 - math.exp(0.02 * math.sqrt(0.5) * stats.t(4).ppf(0.01)))
    assert figure.standard_error is not None
    assert abs(figure.value - exact) < 3.0 * figure.standard_error


def test_the_stated_error_is_that_of_repeated_simulations() -> None:
    figures = [value_at_risk.monte_carlo(BOOK, SHOCKS, paths=1_000, seed=seed, confidence=0.95) for seed in range(60)]
    errors = [[one.standard_error, one.shortfall_standard_error] for one in figures]
    stated = np.array(errors, dtype=np.float64).mean(axis=0)
    observed = np.std([[one.value, one.expected_shortfall] for one in figures], axis=0)
    np.testing.assert_allclose(stated, observed, rtol=0.35)


@pytest.mark.parametrize("by", ["book", "underlying", "position", np.array([0, 1, 1, 2])])
def test_contributions_add_up_whatever_the_groups(by: Any) -> None:
    figure = value_at_risk.monte_carlo(BOOK, SHOCKS, paths=2_000, by=by)
    assert figure.contributions.sum() == pytest.approx(figure.value, rel=1e-11)
    assert figure.shortfall_contributions.sum() == pytest.approx(figure.expected_shortfall, rel=1e-11)


def test_incremental_is_the_figure_less_that_without_the_position() -> None:
    figure = value_at_risk.monte_carlo(BOOK, SHOCKS, paths=1_000, seed=4)
    for row in range(BOOK.size):
        rest = value_at_risk.monte_carlo(BOOK.where(np.arange(BOOK.size) != row), SHOCKS, paths=1_000, seed=4)
        assert figure.incremental[row] == pytest.approx(figure.value - rest.value, abs=1e-9)


def test_many_groups_are_worked_through_in_parts() -> None:
    few = value_at_risk.monte_carlo(BOOK, SHOCKS, paths=2_000, by=np.array([0, 1, 2, 2]))
    many = value_at_risk.monte_carlo(BOOK, SHOCKS, paths=2_000, by=np.array([0, 1_999, 2_500, 2_500]))
    chosen = [0, 1_999, 2_500]
    np.testing.assert_allclose(many.contributions[chosen], few.contributions, rtol=1e-12)
    np.testing.assert_allclose(many.incremental[chosen], few.incremental, rtol=1e-12)
    assert np.count_nonzero(many.contributions) == 3


STOCKS = Book.of({"A": 10.0, "B": 5.0, "C": 2.0}, underlying=["A", "B", "C"], quantity=EXPOSURES / [10.0, 5.0, 2.0])


@pytest.mark.parametrize("horizon_days", [1, 4])
def test_a_book_of_stocks_is_its_exposures(horizon_days: int) -> None:
    options: dict[str, Any] = {"horizon_days": horizon_days, "confidence": 0.95}
    filtered: dict[str, Any] = options | {"volatility": "ewma", "paths": 300}
    for book, plain in (
        [value_at_risk.historical(RETURNS, held, **options) for held in (STOCKS, EXPOSURES)],
        [value_at_risk.filtered_historical(RETURNS, held, **filtered) for held in (STOCKS, EXPOSURES)],
    ):
        for name in ("value", "expected_shortfall", "contributions", "shortfall_contributions", "incremental"):
            np.testing.assert_allclose(getattr(book, name), getattr(plain, name), rtol=1e-9, atol=1e-9)
        assert book.standard_error == (None if plain.standard_error is None else pytest.approx(plain.standard_error))


def test_options_are_priced_anew_on_every_past_day() -> None:
    returns = RETURNS[:, :2]
    figure = value_at_risk.historical(returns, BOOK, confidence=0.975)
    profits = revaluation.revalue(BOOK, Scenarios(returns), by="position").profits
    worst = np.argsort(profits.sum(axis=0))
    np.testing.assert_allclose(figure.contributions, -profits[:, worst[10]])
    np.testing.assert_allclose(figure.shortfall_contributions, -profits[:, worst[:10]].mean(axis=1))
    filtered = value_at_risk.filtered_historical(returns, BOOK, volatility="ewma", by="underlying")
    assert filtered.contributions.shape == (2,)
    assert filtered.contributions.sum() == pytest.approx(filtered.value)


def test_returns_must_be_those_of_the_underlyings() -> None:
    with pytest.raises(DomainError, match="returns"):
        value_at_risk.historical(RETURNS, BOOK)


def test_small_shocks_agree_with_delta_gamma() -> None:
    shocks = SHOCKS / 25.0
    step = 1e-3
    moves = np.array([[step, 0.0], [-step, 0.0], [0.0, step], [0.0, -step], [step, step], [-step, -step]])
    a, b, c, d, e, f = revaluation.revalue(BOOK, Scenarios(moves)).profits[0]
    deltas = np.array([a - b, c - d]) / (2.0 * step)
    own = np.array([a + b, c + d]) / step**2
    cross = (e + f - (a + b) - (c + d)) / (2.0 * step**2)
    aged = revaluation.revalue(BOOK, Scenarios(0.0, elapsed_years=1.0 / 252.0)).profits[0, 0]
    # The spots are lognormal without drift: half of each variance adds to the mean return.
    drift = 0.5 * np.diagonal(shocks) @ deltas
    quadratic = value_at_risk.parametric(
        shocks, deltas, gammas=[[own[0], cross], [cross, own[1]]], thetas=[aged + drift, 0.0]
    )
    simulated = value_at_risk.monte_carlo(BOOK, shocks, paths=40_000)
    assert simulated.standard_error is not None
    assert abs(simulated.value - quadratic.value) < 3.0 * simulated.standard_error + 0.005 * quadratic.value


def test_volatilities_and_the_rate_may_be_factors() -> None:
    factors = np.diag([1e-4, 2e-4, 4e-4, 4e-4, 1e-6])
    whole = value_at_risk.monte_carlo(BOOK, factors, paths=2_000, seed=1)
    spots = value_at_risk.monte_carlo(BOOK, factors[:2, :2], paths=2_000, seed=1)
    assert whole.value != spots.value


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("covariance", {"covariance": np.eye(3)}),
        ("covariance", {"covariance": [[1.0, 2.0], [2.0, 1.0]]}),
        ("distribution", {"distribution": "cauchy"}),
        ("degrees_of_freedom", {"distribution": "student_t", "degrees_of_freedom": 2.0}),
        ("paths", {"paths": 1}),
        ("confidence", {"confidence": 0.4}),
        ("horizon_days", {"horizon_days": 0}),
        ("by", {"by": "sector"}),
    ],
)
def test_what_is_out_of_domain_is_named(argument: str, options: dict[str, Any]) -> None:
    with pytest.raises(DomainError) as caught:
        value_at_risk.monte_carlo(BOOK, **({"covariance": SHOCKS} | options))
    assert caught.value.argument == argument


def test_an_unknown_filter_is_refused() -> None:
    with pytest.raises(DomainError, match="volatility"):
        value_at_risk.filtered_historical(RETURNS, EXPOSURES, volatility="stochastic")  # type: ignore[arg-type]
