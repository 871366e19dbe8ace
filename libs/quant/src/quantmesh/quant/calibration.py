"""Models fitted to market quotes: weighted least squares within bounds, by analytic gradients, from several starts.

    quotes = Quotes(option_type=..., spot=..., strike=..., time_to_expiry=..., rate=..., dividend_yield=..., price=...)
    fit = calibrate("heston", quotes)
    heston.price("call", 100, 95, 0.5, 0.03, 0.01, **fit.parameters)

Models are "black_scholes" (one volatility), "heston", "bates" and "sabr" (one expiry at a time).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant import black_scholes
from quantmesh.quant._arguments import Floats
from quantmesh.quant._calibration_least_squares import Fit, least_squares
from quantmesh.quant._calibration_models import MODELS, Model, Parameter
from quantmesh.quant._calibration_quotes import Quotes
from quantmesh.quant._student_intervals import check_confidence, half_width
from quantmesh.quant.errors import DomainError

__all__ = ["Calibration", "Interval", "Quotes", "calibrate"]

Weights = Literal["vega", "bid_ask", "equal"]

# A spread below this part of the median is as good as that.
_LEAST_SPREAD = 0.05
# Of a model's price, in parts of spot or strike. Where it moves the volatility by more than the other number, this is
# not determined: so far from the money a price is its intrinsic value.
_PRICE_ERROR = 1e-12
_LARGEST_ERROR = 1e-4


class Interval(NamedTuple):
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """`residuals` are implied volatilities, model less market, one per quote; `rmse` is their root mean square.

    A model's price whose implied volatility is not determined counts by its difference in price over the quote's vega.
    """

    model: str
    parameters: dict[str, float]
    intervals: dict[str, Interval]
    """Student's, from J^T J and the variance of the weighted residuals, for fitted parameters that no bound holds."""
    confidence: float
    residuals: Floats
    price_residuals: Floats
    rmse: float
    price_rmse: float
    binding: tuple[str, ...]
    """Parameters held by a bound."""
    iterations: int
    """Of the best start."""
    converged: bool
    seconds: float


def calibrate(
    model: str,
    quotes: Quotes,
    *,
    weights: Weights | ArrayLike | None = None,
    start: Mapping[str, float] | None = None,
    fixed: Mapping[str, float | None] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    starts: int = 2,
    samples: int = 16,
    iterations: int = 100,
    confidence: float = 0.95,
    seed: int = 0,
) -> Calibration:
    """The parameters with the least sum of (weight x (model's price - quote))^2.

    `weights` are "vega" (1 / vega: errors count as implied volatilities), "bid_ask" (1 / spread), "equal", or an array;
    by default "bid_ask" where the quotes have both sides, else "vega". Descent begins at the model's own guess, or at
    `start`, and at the best of `samples` points of a Latin hypercube, `starts` times in all. `fixed` parameters are not
    fitted; None frees one that the model fixes by itself. Raises `DomainError` where there are fewer quotes than
    parameters to fit.
    """
    began = time.perf_counter()
    if model not in MODELS:
        raise DomainError("model", repr(model), f"one of {', '.join(sorted(MODELS))}")
    for name, value, least in (("starts", starts, 1), ("samples", samples, starts - 1), ("iterations", iterations, 1)):
        if value < least:
            raise DomainError(name, value, f"at least {least}")
    check_confidence(confidence)
    problem = _Problem(MODELS[model], quotes, _weights(quotes, weights), fixed or {}, bounds or {})
    first = problem.start(start)
    candidates = problem.sample(samples if starts > 1 else 0, seed)
    candidates.sort(key=problem.cost)
    fits = [
        least_squares(problem.evaluate, point, problem.lower, problem.upper, iterations)
        for point in [first, *candidates[: starts - 1]]
    ]
    best = min(fits, key=lambda fit: fit.cost)
    values = problem.complete(best.point)
    price = MODELS[model].evaluate(quotes, values)[0]
    price_residuals = price - quotes.price
    residuals = _volatility_residuals(quotes, price)
    names = [parameter.name for parameter in MODELS[model].parameters]
    held = (best.point <= problem.lower) | (best.point >= problem.upper)
    return Calibration(
        model=model,
        parameters=dict(zip(names, values.tolist(), strict=True)),
        intervals=_intervals(problem, best, held, confidence),
        confidence=confidence,
        residuals=residuals,
        price_residuals=price_residuals,
        rmse=_root_mean_square(residuals),
        price_rmse=_root_mean_square(price_residuals),
        binding=tuple(np.array(problem.names)[held].tolist()),
        iterations=best.iterations,
        converged=best.converged,
        seconds=time.perf_counter() - began,
    )


class _Problem:
    """A model's least squares over the parameters that are not fixed."""

    def __init__(
        self,
        model: Model,
        quotes: Quotes,
        weights: Floats,
        fixed: Mapping[str, float | None],
        bounds: Mapping[str, tuple[float, float]],
    ) -> None:
        names = [parameter.name for parameter in model.parameters]
        for argument, given in (("fixed", fixed), ("bounds", bounds)):
            _check_names(argument, given, names)
        pinned = {name: value for name, value in {**model.fixed, **fixed}.items() if value is not None}
        self._model, self._quotes, self._weights, self._pinned = model, quotes, weights, pinned
        self._free = np.array([name not in pinned for name in names])
        self._values = np.array([pinned.get(name, 0.0) for name in names])
        self._parameters = [parameter for parameter in model.parameters if parameter.name not in pinned]
        self.names = [parameter.name for parameter in self._parameters]
        limits = np.array([_bounds_of(parameter, bounds) for parameter in self._parameters]).reshape(-1, 2)
        self.lower: Floats = limits[:, 0]
        self.upper: Floats = limits[:, 1]
        if model.of_one_expiry and (others := np.flatnonzero(quotes.time_to_expiry != quotes.time_to_expiry[0])).size:
            row = int(others[0])
            requirement = f"that of the first quote, {quotes.time_to_expiry[0]:g}: this model fits one expiry at a time"
            raise DomainError("time_to_expiry", float(quotes.time_to_expiry[row]), requirement, row)
        if len(quotes) < max(len(self.names), 1):
            requirement = f"at least {len(self.names)} quotes for as many parameters ({', '.join(self.names)})"
            raise DomainError("quotes", len(quotes), requirement)

    def complete(self, point: Floats) -> Floats:
        values = self._values.copy()
        values[self._free] = point
        return values

    def evaluate(self, point: Floats) -> tuple[Floats, Floats]:
        price, gradient = self._model.evaluate(self._quotes, self.complete(point))
        return self._weights * (price - self._quotes.price), (gradient[self._free] * self._weights).T

    def cost(self, point: Floats) -> float:
        residuals = self.evaluate(point)[0]
        return float(residuals @ residuals)

    def start(self, given: Mapping[str, float] | None) -> Floats:
        guess: Floats = self._model.guess(self._quotes, self._pinned)[self._free]
        if given:
            _check_names("start", given, self.names)
            guess = np.array([given.get(name, value) for name, value in zip(self.names, guess, strict=True)])
        return np.asarray(np.clip(guess, self.lower, self.upper))

    def sample(self, count: int, seed: int) -> list[Floats]:
        """A Latin hypercube: every parameter takes each of `count` parts of its range once."""
        generator = np.random.default_rng(seed)
        columns = []
        for parameter in self._parameters:
            share = (generator.permutation(count) + generator.random(count)) / max(count, 1)
            least, greatest = parameter.least_start, parameter.greatest_start
            linear = least + share * (greatest - least)
            columns.append(least * (greatest / least) ** share if least > 0.0 else linear)
        return [np.clip(point, self.lower, self.upper) for point in np.array(columns).T]


def _check_names(argument: str, given: Mapping[str, object], names: list[str]) -> None:
    for name in given:
        if name not in names:
            raise DomainError(argument, repr(name), f"for parameters among {', '.join(names)}")


def _bounds_of(parameter: Parameter, bounds: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    lower, upper = bounds.get(parameter.name, (parameter.lower, parameter.upper))
    if not parameter.lower <= lower < upper <= parameter.upper:
        requirement = f"an increasing pair from {parameter.lower:g} to {parameter.upper:g}"
        raise DomainError(f"bounds of {parameter.name}", (lower, upper), requirement)
    return lower, upper


def _weights(quotes: Quotes, given: Weights | ArrayLike | None) -> Floats:
    kind = given if given is not None else ("vega" if quotes.bid is None else "bid_ask")
    if isinstance(kind, str):
        if kind == "vega":
            return 1.0 / quotes.vega
        if kind == "equal":
            return np.ones(len(quotes))
        if kind == "bid_ask":
            spread = quotes.spread
            if np.median(spread) == 0.0:
                raise DomainError("weights", '"bid_ask"', "another one where most quotes have no spread")
            return np.asarray(1.0 / np.maximum(spread, _LEAST_SPREAD * np.median(spread)))
        raise DomainError("weights", repr(kind), '"vega", "bid_ask", "equal" or an array')
    weights = np.broadcast_to(np.asarray(kind, dtype=np.float64), len(quotes))
    wrong = np.flatnonzero(~((weights >= 0.0) & (weights < np.inf)))
    if wrong.size:
        raise DomainError("weights", float(weights[wrong[0]]), "finite and not negative", int(wrong[0]))
    if not weights.any():
        raise DomainError("weights", 0.0, "positive for some quote")
    return weights


def _volatility_residuals(quotes: Quotes, price: Floats) -> Floats:
    model, status = black_scholes.implied_volatilities(price, *quotes.contract)
    vega = np.asarray(black_scholes.greeks(*quotes.contract, quotes.implied_volatility).vega)
    is_determined = (status == 0) & (_LARGEST_ERROR * vega > _PRICE_ERROR * np.maximum(quotes.spot, quotes.strike))
    by_price = (price - quotes.price) / quotes.vega
    return np.asarray(np.where(is_determined, model - quotes.implied_volatility, by_price))


def _intervals(problem: _Problem, fit: Fit, held: NDArray[np.bool_], confidence: float) -> dict[str, Interval]:
    jacobian = fit.jacobian[:, ~held]
    spare = fit.residuals.size - jacobian.shape[1]
    reach = np.full(jacobian.shape[1], np.inf)
    if spare > 0 and reach.size:
        variance = float(fit.residuals @ fit.residuals) / spare * np.linalg.pinv(jacobian.T @ jacobian)
        reach = half_width(spare, confidence) * np.sqrt(np.diagonal(variance))
    free = np.flatnonzero(~held)
    return {
        problem.names[i]: Interval(
            max(float(fit.point[i] - width), float(problem.lower[i])),
            min(float(fit.point[i] + width), float(problem.upper[i])),
        )
        for i, width in zip(free, reach, strict=True)
    }


def _root_mean_square(values: Floats) -> float:
    return float(np.sqrt(np.mean(values * values)))
