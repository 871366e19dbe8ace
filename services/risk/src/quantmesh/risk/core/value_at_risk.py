"""Value at risk of a book at its last closes (RSK-1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from quantmesh.quant import book as quant_book
from quantmesh.quant import exposure, value_at_risk
from quantmesh.quant.revaluation import present_values
from quantmesh.risk.core.domain import enough_observations, movement_of, quant_domain
from quantmesh.risk.core.errors import OutOfDomain, UnknownChoice
from quantmesh.risk.core.estimators import ESTIMATORS, Estimator
from quantmesh.risk.core.model import TRADING_DAYS, Book, Floats, History, Position
from quantmesh.risk.core.priced_book import priced
from quantmesh.risk.core.work import check_estimation, most_scenarios

Method = Literal["historical", "parametric", "filtered_historical", "monte_carlo"]
Distribution = Literal["normal", "student_t"]

DEFAULT_PATHS = 10_000
DEFAULT_DEGREES_OF_FREEDOM = 5.0
MOST_PATHS = 100_000
# So much is answered within about two seconds: numbers that GARCH models are fitted to, and underlyings with curvature.
_MOST_FILTERED = 40_000
_MOST_CURVED_UNDERLYINGS = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """`estimator` is that of the parametric method and of Monte Carlo, `distribution` of the latter alone, and
    `degrees_of_freedom` of Student's t; `rate` (per year) is for options."""

    method: Method
    confidence: float
    horizon_days: int
    observations: int
    estimator: Estimator = "sample"
    paths: int = DEFAULT_PATHS
    seed: int = 0
    rate: float = 0.0
    distribution: Distribution = "normal"
    degrees_of_freedom: float = DEFAULT_DEGREES_OF_FREEDOM


@dataclass(frozen=True, slots=True)
class BookRisk:
    """The figure's arrays and `market_values` are in the order of `parts`: the book's positions, but its underlyings,
    with no quantity of their own, where a parametric figure is of options."""

    figure: value_at_risk.ValueAtRisk
    parts: Sequence[Position | str]
    market_values: Floats


def value_at_risk_of(book: Book, history: History, wanted: Wanted) -> BookRisk:
    """Today's quantities at the last close, under the simple daily returns of the last `observations` days.

    Raises OutOfDomain for a parameter outside its domain, or for more work than an answer may take, UnknownChoice for a
    distribution that the method does not have, and NotMeasurable for closes that stood still, which have no covariance.
    """
    if wanted.distribution != "normal" and wanted.method != "monte_carlo":
        raise UnknownChoice(
            "distribution", f"must be normal or left out: {wanted.method} does not take {wanted.distribution}"
        )
    _check_work(book, wanted)
    returns = history.require(wanted.observations).returns[-wanted.observations :]
    with (
        quant_domain(),
        movement_of(history.symbols),
        enough_observations("observations", wanted.observations),
    ):
        if wanted.method == "parametric":
            return _parametric(book, history, returns, wanted)
        if wanted.method == "monte_carlo" or book.has_options:
            return _revalued(book, history, returns, wanted)
        return _linear(book, history, returns, wanted)


def _linear(book: Book, history: History, returns: Floats, wanted: Wanted) -> BookRisk:
    exposures = _exposures(book, history)
    if wanted.method == "historical":
        figure = value_at_risk.historical(
            returns, exposures, confidence=wanted.confidence, horizon_days=wanted.horizon_days
        )
    else:
        figure = _filtered(returns, exposures, wanted)
    return BookRisk(figure, book.positions, exposures)


def _revalued(book: Book, history: History, returns: Floats, wanted: Wanted) -> BookRisk:
    """Every position priced anew in every scenario."""
    portfolio = priced(book, history, wanted.rate)
    if wanted.method == "historical":
        figure = value_at_risk.historical(
            returns, portfolio, confidence=wanted.confidence, horizon_days=wanted.horizon_days
        )
    elif wanted.method == "filtered_historical":
        figure = _filtered(returns, portfolio, wanted)
    else:
        figure = value_at_risk.monte_carlo(
            portfolio,
            ESTIMATORS[wanted.estimator](np.log1p(returns)),
            confidence=wanted.confidence,
            horizon_days=wanted.horizon_days,
            distribution=wanted.distribution,
            degrees_of_freedom=wanted.degrees_of_freedom,
            paths=wanted.paths,
            seed=wanted.seed,
        )
    return BookRisk(figure, book.positions, present_values(portfolio))


def _filtered(returns: Floats, exposures: Floats | quant_book.Book, wanted: Wanted) -> value_at_risk.ValueAtRisk:
    return value_at_risk.filtered_historical(
        returns,
        exposures,
        confidence=wanted.confidence,
        horizon_days=wanted.horizon_days,
        paths=wanted.paths,
        seed=wanted.seed,
    )


def _parametric(book: Book, history: History, returns: Floats, wanted: Wanted) -> BookRisk:
    """Delta-normal, or delta-gamma with options."""
    matrix = ESTIMATORS[wanted.estimator](returns)
    if not book.has_options:
        exposures = _exposures(book, history)
        figure = value_at_risk.parametric(
            matrix, exposures, confidence=wanted.confidence, horizon_days=wanted.horizon_days
        )
        return BookRisk(figure, book.positions, exposures)
    greeks = exposure.aggregated_greeks(priced(book, history, wanted.rate))
    figure = value_at_risk.parametric(
        matrix,
        greeks.dollar_delta,
        gammas=greeks.dollar_gamma,
        thetas=greeks.theta / TRADING_DAYS,
        confidence=wanted.confidence,
        horizon_days=wanted.horizon_days,
    )
    return BookRisk(figure, greeks.underlyings, greeks.value)


def _exposures(book: Book, history: History) -> Floats:
    exposures: Floats = np.array(book.held(history.symbols), np.float64) * history.last
    return exposures


def _check_work(book: Book, wanted: Wanted) -> None:
    if not 2 <= wanted.paths <= MOST_PATHS:
        raise OutOfDomain("paths", wanted.paths, f"from 2 to {MOST_PATHS}")
    symbols = len(book.symbols)
    values = symbols * wanted.observations
    if wanted.method == "filtered_historical" and values > _MOST_FILTERED:
        raise OutOfDomain(
            "observations", wanted.observations, f"at most {_MOST_FILTERED // symbols} to filter {symbols} symbols"
        )
    if wanted.method in ("parametric", "monte_carlo"):
        check_estimation(wanted.estimator, symbols, wanted.observations)
    if wanted.method == "parametric":
        if book.has_options and symbols > _MOST_CURVED_UNDERLYINGS:
            raise OutOfDomain("positions", f"on {symbols} underlyings", f"on {_MOST_CURVED_UNDERLYINGS} at most")
        return
    is_simulated = wanted.method == "monte_carlo" or (
        wanted.method == "filtered_historical" and wanted.horizon_days > 1
    )
    if not is_simulated and not book.has_options:
        return
    field, scenarios = ("paths", wanted.paths) if is_simulated else ("observations", wanted.observations)
    most, described = most_scenarios(book)
    if scenarios > most:
        raise OutOfDomain(field, scenarios, f"at most {most} for {described}")
