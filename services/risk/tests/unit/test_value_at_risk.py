"""Every method of value at risk, on stocks and on books with options."""

import math
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest
from scipy.stats import norm, t

from quantmesh.quant import black_scholes
from quantmesh.risk.core.errors import NotMeasurable, OutOfDomain, UnknownChoice
from quantmesh.risk.core.model import Book, History, Position
from quantmesh.risk.core.options import Option
from quantmesh.risk.core.value_at_risk import Method, Wanted, value_at_risk_of

NOW = datetime(2022, 10, 3, 20, tzinfo=UTC)
SYMBOLS = ("AAPL", "JPM")
DEVIATION = 0.012
PUT = Option("put", "european", 95.0, 0.5, 0.25, 100.0)
METHODS: tuple[Method, ...] = ("historical", "parametric", "filtered_historical", "monte_carlo")


def history(days: int = 301) -> History:
    steps = np.random.default_rng(5).normal(0.0, DEVIATION, (days - 1, 2))
    return History(SYMBOLS, np.array([100.0, 50.0]) * np.exp(np.vstack([[0.0, 0.0], steps.cumsum(axis=0)])), NOW)


def book(*positions: Position) -> Book:
    return Book.in_one_currency([(position, "USD") for position in positions], cash={})


STOCKS = book(Position("AAPL", Decimal(10)), Position("JPM", Decimal(-4)))
HEDGED = book(Position("AAPL", Decimal(100)), Position("AAPL", Decimal(2), PUT), Position("JPM", Decimal(-4)))


def wanted(method: Method, **changes: object) -> Wanted:
    return Wanted(**({"method": method, "confidence": 0.99, "horizon_days": 1, "observations": 300} | changes))  # type: ignore[arg-type]  # the tests' own changes


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("held", [STOCKS, HEDGED])
@pytest.mark.parametrize("days", [1, 5])
def test_contributions_add_up_by_every_method(method: Method, held: Book, days: int) -> None:
    risk = value_at_risk_of(held, history(), wanted(method, horizon_days=days, paths=2_000))
    figure = risk.figure
    assert figure.expected_shortfall >= figure.value > 0
    assert figure.contributions.sum() == pytest.approx(figure.value)
    assert figure.shortfall_contributions.sum() == pytest.approx(figure.expected_shortfall)
    is_simulated = method == "monte_carlo" or (method == "filtered_historical" and days > 1)
    assert (figure.standard_error is not None) == is_simulated


def test_options_are_worth_their_price_at_the_last_close_and_are_priced_anew_on_every_past_day() -> None:
    past = history()
    risk = value_at_risk_of(
        book(Position("AAPL", Decimal(-3), PUT)), past_of_aapl(past), wanted("historical", rate=0.03)
    )
    spots = float(past.closes[-1, 0]) * np.append(1.0, past.closes[1:, 0] / past.closes[:-1, 0])
    prices = np.asarray(black_scholes.price("put", spots, 95.0, 0.5, 0.03, 0.0, 0.25))
    losses = np.sort(300.0 * (prices[1:] - prices[0]))
    assert risk.market_values == pytest.approx([-300.0 * prices[0]])
    assert risk.figure.value == pytest.approx(losses[math.ceil(300 * 0.99) - 1])


def past_of_aapl(past: History) -> History:
    return History(("AAPL",), past.closes[:, :1], past.as_of)


def test_monte_carlo_of_one_stock_meets_the_lognormal_quantile_within_its_standard_error() -> None:
    past = past_of_aapl(history())
    risk = value_at_risk_of(book(Position("AAPL", Decimal(10))), past, wanted("monte_carlo", paths=50_000, seed=3))
    deviation = float(np.log(past.closes[1:, 0] / past.closes[:-1, 0]).std(ddof=1))
    exact = 10.0 * float(past.last[0]) * -math.expm1(norm.ppf(0.01) * deviation)
    assert risk.figure.standard_error is not None
    assert abs(risk.figure.value - exact) < 4.0 * risk.figure.standard_error
    again = value_at_risk_of(book(Position("AAPL", Decimal(10))), past, wanted("monte_carlo", paths=50_000, seed=3))
    assert again.figure.value == risk.figure.value


def test_students_t_has_its_own_quantile_at_the_same_variance_and_is_monte_carlos_alone() -> None:
    past, held = past_of_aapl(history()), book(Position("AAPL", Decimal(10)))
    asked = wanted("monte_carlo", paths=50_000, seed=3, distribution="student_t", degrees_of_freedom=4.0)
    figure = value_at_risk_of(held, past, asked).figure
    deviation = float(np.log(past.closes[1:, 0] / past.closes[:-1, 0]).std(ddof=1))
    quantile = t.ppf(0.01, 4.0) * math.sqrt(2.0 / 4.0)
    exact = 10.0 * float(past.last[0]) * -math.expm1(quantile * deviation)
    assert figure.standard_error is not None
    assert abs(figure.value - exact) < 4.0 * figure.standard_error
    with pytest.raises(
        UnknownChoice, match="distribution must be normal or left out: historical does not take student_t"
    ):
        value_at_risk_of(held, past, wanted("historical", distribution="student_t"))
    with pytest.raises(OutOfDomain, match="degrees_of_freedom must be above 2"):
        value_at_risk_of(held, past, wanted("monte_carlo", distribution="student_t", degrees_of_freedom=1.5))


def test_a_parametric_figure_of_options_is_by_underlying_and_knows_their_curvature() -> None:
    risk = value_at_risk_of(HEDGED, history(), wanted("parametric"))
    assert risk.parts == SYMBOLS
    naked = book(Position("AAPL", Decimal(100)), Position("JPM", Decimal(-4)))
    assert risk.figure.value < value_at_risk_of(naked, history(), wanted("parametric")).figure.value


def test_the_covariance_is_estimated_as_asked() -> None:
    values = {
        estimator: value_at_risk_of(STOCKS, history(), wanted("parametric", estimator=estimator)).figure.value
        for estimator in ("sample", "ewma", "ledoit_wolf", "factor", "garch_dcc")
    }
    assert len(set(values.values())) >= 4
    assert all(value == pytest.approx(values["sample"], rel=0.5) for value in values.values())


@pytest.mark.parametrize("method", ["parametric", "monte_carlo"])
def test_closes_that_stood_still_are_named(method: Method) -> None:
    past = history()
    still = History(past.symbols, np.column_stack([past.closes[:, 0], np.full(len(past.closes), 50.0)]), past.as_of)
    with pytest.raises(NotMeasurable, match="JPM did not move"):
        value_at_risk_of(STOCKS, still, wanted(method))
    assert value_at_risk_of(STOCKS, still, wanted("historical")).figure.value > 0.0


@pytest.mark.parametrize(
    ("field", "held", "asked"),
    [
        ("paths", STOCKS, wanted("monte_carlo", paths=100_001)),
        ("paths", STOCKS, wanted("monte_carlo", paths=1)),
        ("paths", book(*[Position("AAPL", Decimal(1), PUT)] * 101), wanted("monte_carlo", paths=50_000)),
        ("observations", STOCKS, wanted("filtered_historical", observations=20_001)),
        ("observations", STOCKS, wanted("parametric", estimator="garch_dcc", observations=10_001)),
        ("observations", book(*[Position("AAPL", Decimal(1), PUT)] * 1000), wanted("historical", observations=5_001)),
        ("rate", HEDGED, wanted("historical", rate=math.inf)),
        ("observations", STOCKS, wanted("filtered_historical", observations=9)),
        ("observations", STOCKS, wanted("parametric", estimator="garch_dcc", observations=3)),
        ("observations", STOCKS, wanted("monte_carlo", estimator="garch_dcc", observations=3)),
    ],
)
def test_more_work_than_an_answer_may_take_and_too_few_days_are_refused_by_their_field(
    field: str, held: Book, asked: Wanted
) -> None:
    with pytest.raises(OutOfDomain) as caught:
        value_at_risk_of(held, history(), asked)
    assert [violation.field for violation in caught.value.violations] == [field]
