"""Weights for an objective, beside equal weights and what is held now (RSK-7)."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from quantmesh.quant import optimize
from quantmesh.quant.errors import DomainError, InfeasibleError, SolverError
from quantmesh.risk.core.constraints import Constraints, as_request
from quantmesh.risk.core.domain import movement_of
from quantmesh.risk.core.errors import InfeasibleConstraints, NoSolution, OutOfDomain, UnknownChoice, require_symbol
from quantmesh.risk.core.estimators import ESTIMATORS, Estimator
from quantmesh.risk.core.model import TRADING_DAYS, Floats, History
from quantmesh.risk.core.work import check_estimation

_LEAST_BUDGET = 1e-6

Objective = Literal[
    "minimum_variance",
    "maximum_sharpe",
    "risk_parity",
    "mean_variance",
    "minimum_cvar",
    "hierarchical_risk_parity",
    "black_litterman",
]


@dataclass(frozen=True, slots=True)
class View:
    """What a portfolio of `weights` is expected to return a year, in excess of the risk-free rate."""

    weights: Mapping[str, float]
    expected_return: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rates and returns are per year; `held` are market values now, or None without a portfolio."""

    objective: Objective
    observations: int
    constraints: Constraints = field(default_factory=Constraints)
    risk_free_rate: float = 0.0
    estimator: Estimator = "sample"
    risk_aversion: float = 2.5
    confidence: float = 0.95
    views: Sequence[View] = ()
    market_weights: Mapping[str, float] = field(default_factory=dict)
    budgets: Mapping[str, float] = field(default_factory=dict)
    held: Floats | None = None


@dataclass(frozen=True, slots=True)
class Allocation:
    """Weights with their statistics per year, from the same observations for every allocation."""

    weights: Floats
    expected_return: float
    volatility: float
    sharpe: float


@dataclass(frozen=True, slots=True)
class Optimum:
    """`objective`, `bound` and `gap` are those of quant's answer, per day."""

    optimal: Allocation
    equal_weight: Allocation
    current: Allocation | None
    solver: str
    iterations: int
    objective: float
    bound: float | None
    gap: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """What every objective starts from: moments per day, and the weights held now."""

    returns: Floats
    mean: Floats
    covariance: Floats
    current: Floats | None
    risk_free_rate: float

    @classmethod
    def of(cls, history: History, wanted: Wanted) -> "Sample":
        check_estimation(wanted.estimator, len(history.symbols), wanted.observations)
        returns = history.require(wanted.observations).returns[-wanted.observations :]
        total = 0.0 if wanted.held is None else float(wanted.held.sum())
        return cls(
            returns,
            returns.mean(axis=0),
            ESTIMATORS[wanted.estimator](returns),
            wanted.held / total if wanted.held is not None and total > 0.0 else None,
            wanted.risk_free_rate,
        )

    def allocation(self, weights: Floats) -> Allocation:
        expected = float(weights @ self.mean) * TRADING_DAYS
        volatility = math.sqrt(max(float(weights @ self.covariance @ weights), 0.0) * TRADING_DAYS)
        sharpe = (expected - self.risk_free_rate) / volatility if volatility > 0.0 else math.nan
        return Allocation(weights, expected, volatility, sharpe)


def optimum_of(history: History, wanted: Wanted) -> Optimum:
    """Raises InfeasibleConstraints with what would pass, and OutOfDomain."""
    with quant_errors(history.symbols, wanted):
        sample = Sample.of(history, wanted)
        found = _solve(wanted, sample, history.symbols)
    return Optimum(
        optimal=sample.allocation(found.weights),
        equal_weight=sample.allocation(found.equal_weight.weights),
        current=None if sample.current is None else sample.allocation(sample.current),
        solver=found.solver,
        iterations=found.iterations,
        objective=found.optimal.objective,
        bound=found.bound,
        gap=found.gap,
    )


@contextmanager
def quant_errors(symbols: Sequence[str], wanted: Wanted) -> Iterator[None]:
    try:
        with movement_of(symbols):
            yield
    except InfeasibleError as error:
        relaxed = as_request(error.relaxed, symbols)
        raise InfeasibleConstraints(str(error), error.shortfall, error.relaxation, relaxed) from error
    except SolverError as error:
        raise NoSolution(str(error)) from error
    except DomainError as error:
        raise _refused(error, wanted, symbols) from error


_PLACES = {
    "groups": "constraints.groups",
    "costs": "constraints.cost",
    "maximum_turnover": "constraints.maximum_turnover",
    "maximum_holdings": "constraints.maximum_holdings",
    "minimum_position": "constraints.minimum_position",
    "view_returns": "views",
}


def _refused(error: DomainError, wanted: Wanted, symbols: Sequence[str]) -> OutOfDomain:
    """As the request has it: quant works per day, and on arrays."""
    place, index = _PLACES.get(error.argument, error.argument), error.index
    value, requirement = error.value, error.requirement
    match error.argument:
        case "risk_free_rate":
            value, requirement = wanted.risk_free_rate, "below what these weights can earn in a year"
        case "returns":
            place, value = "observations", wanted.observations
            requirement = f"enough for this covariance: {error.requirement}"
        case "current":
            place, value = "portfolio_id", "none that holds any of it"
        case "minimum" | "maximum" as side:
            place, value = wanted.constraints.bound_of(side, symbols if index is None else [symbols[index]])
        case "groups" if index is None:
            value = f"{len(wanted.constraints.groups)} of them"
        case "groups":
            place = f"{place}[{index}]"
        case "costs":
            value = wanted.constraints.cost
        case "budgets" if index is not None:
            place = f"budgets.{symbols[index]}"
        case "confidence" if wanted.objective == "black_litterman":
            place = f"views[{index}].confidence"
    return OutOfDomain(place, value, requirement)


def _solve(wanted: Wanted, sample: Sample, symbols: Sequence[str]) -> optimize.Optimum:
    limits = wanted.constraints.over(symbols, sample.current)
    mean, matrix, free = sample.mean, sample.covariance, wanted.risk_free_rate / TRADING_DAYS
    statistics: dict[str, Any] = {"expected_return": mean, "risk_free_rate": free}
    objectives: dict[Objective, Callable[[], optimize.Optimum]] = {
        "minimum_variance": lambda: optimize.minimum_variance(matrix, limits, **statistics),
        "maximum_sharpe": lambda: optimize.maximum_sharpe(mean, matrix, limits, risk_free_rate=free),
        "mean_variance": lambda: optimize.mean_variance(
            mean, matrix, limits, risk_aversion=wanted.risk_aversion, risk_free_rate=free
        ),
        "minimum_cvar": lambda: optimize.minimum_cvar(
            sample.returns, limits, confidence=wanted.confidence, risk_free_rate=free
        ),
        "risk_parity": lambda: optimize.risk_parity(
            matrix,
            limits,
            budgets=_budgets(wanted.budgets, symbols) if wanted.budgets else None,
            **statistics,
        ),
        "hierarchical_risk_parity": lambda: optimize.hierarchical_risk_parity(matrix, limits, **statistics),
        "black_litterman": lambda: _with_views(wanted, matrix, limits, symbols),
    }
    return objectives[wanted.objective]()


def _with_views(
    wanted: Wanted, matrix: Floats, limits: optimize.Constraints, symbols: Sequence[str]
) -> optimize.Optimum:
    posterior = _posterior(wanted, matrix, symbols)
    free = wanted.risk_free_rate / TRADING_DAYS
    return optimize.mean_variance(
        posterior.expected_return + free,
        posterior.covariance,
        limits,
        risk_aversion=wanted.risk_aversion,
        risk_free_rate=free,
    )


def _posterior(wanted: Wanted, matrix: Floats, symbols: Sequence[str]) -> optimize.Posterior:
    count = len(symbols)
    market = _by_symbol(wanted.market_weights, symbols, "market_weights")
    confidences = [view.confidence for view in wanted.views]
    if any(each is None for each in confidences) and any(each is not None for each in confidences):
        raise UnknownChoice("views", "must all have a confidence, or none")
    rows = [_by_symbol(view.weights, symbols, f"views[{i}].weights") for i, view in enumerate(wanted.views)]
    return optimize.black_litterman(
        matrix,
        market if wanted.market_weights else np.full(count, 1.0 / count),
        views=np.array(rows).reshape(-1, count),
        view_returns=np.array([view.expected_return / TRADING_DAYS for view in wanted.views]),
        confidence=np.array(confidences, np.float64) if confidences and confidences[0] is not None else None,
        risk_aversion=wanted.risk_aversion,
    )


def _budgets(given: Mapping[str, float], symbols: Sequence[str]) -> Floats:
    """Within six orders of magnitude of 1; only their ratios count."""
    for symbol, budget in given.items():
        if not _LEAST_BUDGET <= budget <= 1.0 / _LEAST_BUDGET:
            raise OutOfDomain(f"budgets.{symbol}", budget, f"from {_LEAST_BUDGET:g} to {1.0 / _LEAST_BUDGET:g}")
    return _by_symbol(given, symbols, "budgets")


def _by_symbol(values: Mapping[str, float], symbols: Sequence[str], where: str) -> Floats:
    """In the order of `symbols`, 0 where nothing is said."""
    for symbol in values:
        require_symbol(symbol, symbols, where)
    return np.array([values.get(symbol, 0.0) for symbol in symbols])
