"""What a book loses when the market does what it once did, what one fears, or the least that hurts (RSK-3)."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant._market_factors import check_factors, scenarios_of
from quantmesh.quant._reverse_stress import nearest_loss
from quantmesh.quant._samples import Floats, check_finite, covariance_of
from quantmesh.quant.book import Book, Instrument
from quantmesh.quant.errors import DomainError
from quantmesh.quant.revaluation import revalue
from quantmesh.quant.scenarios import Scenarios


class Shock(NamedTuple):
    """To one underlying: `spot_move` and `volatility_move` are relative (-0.2 is a fall by 20 %), `spot_shift` and
    `volatility_shift` are added, in money and in volatility. A relative move and a shift work together.
    """

    spot_move: float = 0.0
    spot_shift: float = 0.0
    volatility_move: float = 0.0
    volatility_shift: float = 0.0


class Stress(NamedTuple):
    """`profits` are one per position and add up to `profit`, negative where the book loses; `values` are before."""

    profit: float
    profits: Floats
    values: Floats


class Episode(NamedTuple):
    """`path` is the book's profit at the end of each day; `worst` is the state of the day `worst_day`, from 0."""

    path: Floats
    last: Stress
    worst: Stress
    worst_day: int


class ReverseStress(NamedTuple):
    """The most likely move that loses the amount: the covariance's smallest Mahalanobis distance, in deviations.

    `spot_moves` and `volatility_moves` are relative, one per underlying; `is_exact` where the book is linear, otherwise
    the move is the best of several searches.
    """

    distance: float
    spot_moves: Floats
    volatility_moves: Floats
    rate_shift: float
    stress: Stress
    is_exact: bool


def custom(book: Book, shocks: Mapping[str, Shock], *, rate_shift: float = 0.0, elapsed_years: float = 0.0) -> Stress:
    """Under a shock to each named underlying; the others stay. Raises DomainError for a name the book does not know."""
    table = np.zeros((4, 1, len(book.underlyings)))
    for name, shock in shocks.items():
        if name not in book.underlyings:
            raise DomainError("shocks", repr(name), f"about one of {', '.join(book.underlyings)}")
        table[:, 0, book.underlyings.index(name)] = shock
    check_finite("shocks", table)
    moves, shifts, volatility_moves, volatility_shifts = table
    if np.any(shifts[0] != 0.0) and not np.all(book.spot[shifts[0] != 0.0] > 0.0):
        raise DomainError("shocks", "a spot shift", "relative where the spot is 0")
    spot_moves = moves + np.divide(shifts, book.spot, out=np.zeros_like(shifts), where=shifts != 0.0)
    scenarios = Scenarios(
        spot_moves,
        volatility_moves=volatility_moves,
        volatility_shifts=volatility_shifts,
        rate_shifts=[rate_shift],
        elapsed_years=elapsed_years,
    )
    return _stress(book, scenarios)


def through_factors(loadings: Mapping[str, Mapping[str, float]], moves: Mapping[str, float]) -> dict[str, Shock]:
    """Shocks to underlyings from moves of factors: each spot moves by the sum of its loadings times the moves.

    `loadings` are by underlying and factor, as from a regression of returns on the factors' returns.
    """
    shocks = {}
    for name, betas in loadings.items():
        for factor in betas:
            if factor not in moves:
                raise DomainError("moves", f"nothing for {factor!r}", "a move for every factor that has a loading")
        shocks[name] = Shock(spot_move=math.fsum(beta * moves[factor] for factor, beta in betas.items()))
    return shocks


def historical(book: Book, returns: ArrayLike, *, volatility_moves: ArrayLike | None = None) -> Episode:
    """Under the simple daily `returns` of a window (days by underlyings of the book), compounded from its first day.

    `volatility_moves` are daily relative changes of implied volatilities, of the same shape.
    """
    spots = _compounded("returns", returns, len(book.underlyings))
    volatilities = None
    if volatility_moves is not None:
        volatilities = _compounded("volatility_moves", volatility_moves, len(book.underlyings))
        if volatilities.shape != spots.shape:
            raise DomainError("volatility_moves", f"shape {volatilities.shape}", f"the shape of returns, {spots.shape}")
    path = revalue(book, Scenarios(spots, volatility_moves=volatilities)).profits[0]

    def on(day: int) -> Stress:
        moved = None if volatilities is None else volatilities[day]
        return _stress(book, Scenarios(spots[day], volatility_moves=moved))

    worst_day = int(path.argmin())
    return Episode(path, on(path.size - 1), on(worst_day), worst_day)


def reverse(book: Book, covariance: ArrayLike, loss: float) -> ReverseStress:
    """The move of least Mahalanobis distance that loses `loss` or more.

    `covariance` is of simple returns of the spots, and may go on with relative changes of volatilities and then with
    the rate's. For stocks alone the answer is in closed form: the covariances with the book, scaled (Studer, Maximum
    loss for measurement of market risk, 1997). Raises DomainError where no move is found that loses so much.
    """
    matrix = covariance_of(covariance)
    check_factors(matrix.shape[0], len(book.underlyings))
    if not 0.0 < loss < math.inf:
        raise DomainError("loss", loss, "a positive amount")
    move = None
    if np.all(book.instrument == Instrument.STOCK):
        move = _linear(book, matrix, loss)
    is_exact = move is not None
    if move is None:
        move = nearest_loss(book, matrix, loss)
    size = len(book.underlyings)
    padded = np.zeros(2 * size + 1)
    padded[: move.size] = move
    distance = math.sqrt(float(move @ np.linalg.pinv(matrix, hermitian=True) @ move))
    return ReverseStress(
        distance=distance,
        spot_moves=padded[:size],
        volatility_moves=padded[size : 2 * size],
        rate_shift=float(padded[-1]),
        stress=_stress(book, scenarios_of(move[None, :], size)),
        is_exact=is_exact,
    )


def _linear(book: Book, covariance: Floats, loss: float) -> Floats | None:
    """None where a spot would fall below 0, which bends the book."""
    size = len(book.underlyings)
    exposures = np.zeros(covariance.shape[0])
    exposures[:size] = np.bincount(book.underlying, book.units * book.spots, size)
    covariances = covariance @ exposures
    variance = float(exposures @ covariances)
    if not variance > 0.0:
        raise DomainError("loss", loss, "0: under this covariance the book does not move")
    move: Floats = -loss / variance * covariances
    return move if np.all(move[:size] >= -1.0) else None


def _stress(book: Book, scenarios: Scenarios) -> Stress:
    values, profits = revalue(book, scenarios, by="position")
    return Stress(float(profits[:, 0].sum()), profits[:, 0].copy(), values)


def _compounded(name: str, daily: ArrayLike, size: int) -> Floats:
    moves = np.asarray(daily, dtype=np.float64)
    if moves.ndim != 2 or moves.shape[0] < 1 or moves.shape[1] != size:
        raise DomainError(name, f"shape {moves.shape}", f"days by {size} underlyings")
    check_finite(name, moves)
    wrong = np.flatnonzero(moves < -1.0)
    if wrong.size:
        raise DomainError(name, moves.flat[wrong[0]], "at least -1", int(wrong[0]))
    growth: Floats = np.multiply.accumulate(1.0 + moves, axis=0)
    return growth - 1.0
