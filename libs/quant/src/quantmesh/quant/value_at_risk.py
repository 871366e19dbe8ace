"""Value at risk and expected shortfall of a book (RSK-1). Losses are positive.

Returns are of one day. Exposures are amounts of money per asset. Where a `Book` may stand for them, its underlyings are
the assets in their order, every position is priced anew in every scenario, and figures are per position or group as in
`revaluation.revalue`; `marginal` is then by the relative size of a group, which is its contribution.

Contributions are Euler's: the derivative of the figure by the size of each exposure, times that exposure (McNeil, Frey,
Embrechts, Quantitative Risk Management, 2nd ed., 8.5). They add up to the figure, which is homogeneous of degree one.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant import garch
from quantmesh.quant._delta_gamma import delta_gamma
from quantmesh.quant._market_factors import check_factors, covariance_root, scenarios_of
from quantmesh.quant._revalued_tail import revalued_tail
from quantmesh.quant._samples import Floats, check_symmetric, covariance_of, sample_of, vector_of
from quantmesh.quant._tail import (
    ValueAtRisk,
    check_figure,
    empirical_weights,
    smooth_weights,
    standard_errors,
    tail_of,
)
from quantmesh.quant.book import Book
from quantmesh.quant.errors import DomainError
from quantmesh.quant.performance import TRADING_DAYS
from quantmesh.quant.revaluation import Groups
from quantmesh.quant.scenarios import Scenarios

__all__ = ["ValueAtRisk", "filtered_historical", "historical", "monte_carlo", "parametric"]


def historical(
    returns: ArrayLike,
    exposures: ArrayLike | Book,
    *,
    confidence: float = 0.99,
    horizon_days: int = 1,
    by: Groups = "position",
) -> ValueAtRisk:
    """From the empirical distribution of the book's loss over the rows of `returns` (observations by assets).

    The value is the least loss that is not exceeded in at least `confidence` of the sample; the expected shortfall
    averages the worst part of the sample beyond. A horizon of h days scales both by the square root of h, which holds
    for independent returns (McNeil, Frey, Embrechts, 2.3.4); options do not age.
    """
    sample = sample_of(returns)
    check_figure(confidence, horizon_days)
    weights = empirical_weights(sample.shape[0], confidence)
    scale = math.sqrt(horizon_days)
    if isinstance(exposures, Book):
        scenarios = Scenarios(_moves_of(sample, exposures))
        return revalued_tail(exposures, scenarios, confidence, weights, by=by, is_simulated=False, scale=scale)
    amounts = vector_of("exposures", exposures, sample.shape[1])
    return tail_of(sample, amounts, confidence, weights, scale=scale)


def filtered_historical(
    returns: ArrayLike,
    exposures: ArrayLike | Book,
    *,
    confidence: float = 0.99,
    horizon_days: int = 1,
    volatility: Literal["garch", "ewma"] = "garch",
    decay: float = 0.94,
    paths: int = 10_000,
    seed: int = 0,
    by: Groups = "position",
) -> ValueAtRisk:
    """Past days drawn at random, each asset's return rescaled from the volatility of its day to that of the path.

    Barone-Adesi, Giannopoulos and Vosper (VaR without correlations for portfolios of derivative securities, 1999): the
    residuals of a GARCH(1,1) per asset, or of an exponentially weighted variance with `decay`, over their conditional
    deviations; whole days are drawn, so that assets keep their dependence, and every drawn return moves the variance of
    the next day. Returns of a path compound. One day needs no draws: every past day counts once. Means are left out.
    Options age by horizon_days / 252 years.
    """
    sample = sample_of(returns)
    check_figure(confidence, horizon_days)
    _check_paths(paths)
    filters = [_filter(column, volatility, decay) for column in sample.T]
    is_simulated = horizon_days > 1
    simulated = _simulated(filters, horizon_days, paths, seed) if is_simulated else _rescaled(filters)
    weights = (smooth_weights if is_simulated else empirical_weights)(simulated.shape[0], confidence)
    if isinstance(exposures, Book):
        scenarios = Scenarios(_moves_of(simulated, exposures), elapsed_years=horizon_days / TRADING_DAYS)
        return revalued_tail(exposures, scenarios, confidence, weights, by=by, is_simulated=is_simulated)
    amounts = vector_of("exposures", exposures, sample.shape[1])
    figure = tail_of(simulated, amounts, confidence, weights, scale=1.0)
    if not is_simulated:
        return figure
    error, shortfall_error = standard_errors(-(simulated @ amounts), confidence)
    return figure._replace(standard_error=error, shortfall_standard_error=shortfall_error)


def parametric(
    covariance: ArrayLike,
    exposures: ArrayLike,
    *,
    gammas: ArrayLike | None = None,
    thetas: ArrayLike | None = None,
    confidence: float = 0.99,
    horizon_days: int = 1,
) -> ValueAtRisk:
    """Under normal returns of zero mean with the daily `covariance`.

    Delta-normal (McNeil, Frey, Embrechts, 9.2.2) where only `exposures` are given: a mean over days is small beside its
    own error and is left out (J.P. Morgan, RiskMetrics, 4th ed., 5.3).

    Delta-gamma with `gammas` (per asset, or a matrix between assets) and `thetas` (money per day): the profit is
    exposures' r + r' gammas r / 2 + thetas h, a gamma being that of the price times the spot squared. Its distribution
    is exact, see `_delta_gamma`.
    """
    matrix = covariance_of(covariance)
    amounts = vector_of("exposures", exposures, matrix.shape[0])
    check_figure(confidence, horizon_days)
    if gammas is not None or thetas is not None:
        return delta_gamma(
            matrix * horizon_days,
            amounts,
            _gamma_matrix(gammas, amounts.size),
            vector_of("thetas", np.zeros(amounts.size) if thetas is None else thetas, amounts.size) * horizon_days,
            confidence,
        )
    from scipy.special import ndtri

    covariances = matrix @ amounts
    variance = max(float(amounts @ covariances), 0.0)
    root = math.sqrt(horizon_days)
    deviation = math.sqrt(variance)
    slope = covariances / deviation if deviation > 0.0 else np.zeros_like(amounts)
    without = variance - 2.0 * amounts * covariances + amounts * amounts * np.diagonal(matrix)
    quantile = float(ndtri(confidence)) * root
    shortfall = math.exp(-0.5 * float(ndtri(confidence)) ** 2) / math.sqrt(2.0 * math.pi) / (1.0 - confidence) * root
    return ValueAtRisk(
        value=quantile * deviation,
        expected_shortfall=shortfall * deviation,
        contributions=quantile * slope * amounts,
        shortfall_contributions=shortfall * slope * amounts,
        marginal=quantile * slope,
        incremental=quantile * (deviation - np.sqrt(np.maximum(without, 0.0))),
    )


def monte_carlo(
    book: Book,
    covariance: ArrayLike,
    *,
    confidence: float = 0.99,
    horizon_days: int = 1,
    distribution: Literal["normal", "student_t"] = "normal",
    degrees_of_freedom: float = 5.0,
    paths: int = 10_000,
    seed: int = 0,
    by: Groups = "position",
) -> ValueAtRisk:
    """Every position priced anew on every path, with contributions per position, underlying or group.

    `covariance` is of one day, of the logarithms of the spots in the order of the book's underlyings, and may go on
    with those of their volatilities and then with the rate's. Shocks are normal, or Student's t with the same
    covariance, and their h-day covariance is h times that of a day. Options age by horizon_days / 252 years.
    """
    matrix = covariance_of(covariance)
    check_figure(confidence, horizon_days)
    _check_paths(paths)
    size = len(book.underlyings)
    check_factors(matrix.shape[0], size)
    moves = _shocks(matrix * horizon_days, distribution, degrees_of_freedom, paths, seed)
    moves[:, : 2 * size] = np.expm1(moves[:, : 2 * size])
    scenarios = scenarios_of(moves, size, elapsed_years=horizon_days / TRADING_DAYS)
    return revalued_tail(book, scenarios, confidence, smooth_weights(paths, confidence), by=by, is_simulated=True)


def _check_paths(paths: int) -> None:
    if not paths >= 2:
        raise DomainError("paths", paths, "at least 2")


def _moves_of(returns: Floats, book: Book) -> Floats:
    if returns.shape[1] != len(book.underlyings):
        raise DomainError(
            "returns", f"{returns.shape[1]} assets", f"those of the book's {len(book.underlyings)} underlyings"
        )
    return np.maximum(returns, -1.0)


def _rescaled(filters: list[garch.Garch]) -> Floats:
    """Every past day at tomorrow's volatility."""
    moves = np.column_stack([one.standardized * math.sqrt(one.next_variance) for one in filters])
    return np.maximum(moves, -1.0)


def _simulated(filters: list[garch.Garch], horizon_days: int, paths: int, seed: int) -> Floats:
    """Compounded returns, paths by assets."""
    residuals = np.column_stack([one.standardized for one in filters])
    omega, alpha, beta, variance = (
        np.array([getattr(one, name) for one in filters]) for name in ("omega", "alpha", "beta", "next_variance")
    )
    generator = np.random.default_rng(seed)
    variances = np.tile(variance, (paths, 1))
    growth = np.ones_like(variances)
    for _ in range(horizon_days):
        days = generator.integers(0, residuals.shape[0], paths)
        drawn = np.maximum(residuals[days] * np.sqrt(variances), -1.0)
        growth *= 1.0 + drawn
        variances = omega + alpha * drawn * drawn + beta * variances
    return growth - 1.0


def _filter(returns: Floats, volatility: str, decay: float) -> garch.Garch:
    """An asset whose returns never vary keeps a variance of 0."""
    if volatility not in {"garch", "ewma"}:
        raise DomainError("volatility", repr(volatility), '"garch" or "ewma"')
    if np.ptp(returns) == 0.0:
        nothing = np.zeros_like(returns)
        return garch.Garch(float(returns[0]), 0.0, 0.0, 0.0, math.inf, nothing, nothing, 0.0)
    return garch.fit(returns) if volatility == "garch" else garch.ewma(returns, decay=decay, demean=True)


def _gamma_matrix(gammas: ArrayLike | None, size: int) -> Floats:
    if gammas is None:
        return np.zeros((size, size))
    given = np.asarray(gammas, dtype=np.float64)
    matrix = np.diag(given) if given.ndim == 1 else given
    if matrix.shape != (size, size) or not np.isfinite(matrix).all():
        raise DomainError(
            "gammas", f"shape {given.shape}", f"finite, a vector of {size} or a matrix of {size} by {size}"
        )
    check_symmetric("gammas", matrix)
    return matrix


def _shocks(covariance: Floats, distribution: str, degrees_of_freedom: float, paths: int, seed: int) -> Floats:
    generator = np.random.default_rng(seed)
    shocks: Floats = generator.standard_normal((paths, covariance.shape[0])) @ covariance_root(covariance).T
    if distribution == "normal":
        return shocks
    if distribution != "student_t":
        raise DomainError("distribution", repr(distribution), '"normal" or "student_t"')
    if not 2.0 < degrees_of_freedom < math.inf:
        raise DomainError("degrees_of_freedom", degrees_of_freedom, "above 2, where the variance is finite")
    mixing = (degrees_of_freedom - 2.0) / generator.chisquare(degrees_of_freedom, paths)
    scaled: Floats = shocks * np.sqrt(mixing)[:, None]
    return scaled
