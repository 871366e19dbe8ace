"""The nearest move, in deviations, that loses an amount: a search over many directions, then local refinement."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from quantmesh.quant._market_factors import covariance_root, scenarios_of
from quantmesh.quant._samples import Floats
from quantmesh.quant.book import Book
from quantmesh.quant.errors import DomainError
from quantmesh.quant.revaluation import revalue

_DIRECTIONS = 512
_DISTANCES = np.geomspace(0.125, 32.0, 33)
_SEARCHES = 8
_STEP = 1e-4
# Of the loss: as near as its surface is met.
_TOLERANCE = 1e-9


def nearest_loss(book: Book, covariance: Floats, loss: float) -> Floats:
    root = covariance_root(covariance)
    root = root[:, np.any(root != 0.0, axis=0)]
    size = len(book.underlyings)

    def losses(points: Floats) -> Floats:
        """Of standardised moves, points by directions."""
        lost: Floats = -revalue(book, scenarios_of(points @ root.T, size)).profits[0]
        return lost

    def excess(point: Floats) -> float:
        return float(losses(point[None, :])[0]) / loss - 1.0

    def slopes(point: Floats) -> Floats:
        steps = _STEP * np.eye(point.size)
        ends = losses(np.concatenate([point + steps, point - steps])) / loss
        differences: Floats = (ends[: point.size] - ends[point.size :]) / (2.0 * _STEP)
        return differences

    starts, largest = _starts(losses, slopes(np.zeros(root.shape[1])), loss)
    if not starts:
        raise DomainError("loss", loss, f"at most {largest:.6g}, the largest loss within {_DISTANCES[-1]:g} deviations")
    from scipy.optimize import minimize

    constraint: Any = {"type": "ineq", "fun": excess, "jac": slopes}
    best = starts[0]
    for start in starts:
        found = minimize(
            _square,
            start,
            jac=True,
            constraints=constraint,
            method="SLSQP",
            options={"maxiter": 200, "ftol": 1e-14},
        )
        candidate = np.asarray(found.x, dtype=np.float64)
        if excess(candidate) >= -_TOLERANCE and candidate @ candidate < best @ best:
            best = candidate
    move: Floats = root @ best
    return move


def _square(point: Floats) -> tuple[float, Floats]:
    """The squared distance and its slopes."""
    return float(point @ point), 2.0 * point


def _starts(losses: Callable[[Floats], Floats], gradient: Floats, loss: float) -> tuple[list[Floats], float]:
    """Points that lose enough, from the nearest, no two in the same direction; and the largest loss seen.

    Directions are the steepest one, the axes, and random ones; along each, distances grow geometrically.
    """
    count = gradient.size
    drawn = np.random.default_rng(0).standard_normal((_DIRECTIONS, count))
    steepest = [gradient] if np.any(gradient != 0.0) else []
    directions = np.concatenate([*(one[None, :] for one in steepest), np.eye(count), -np.eye(count), drawn])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points = (_DISTANCES[:, None, None] * directions).reshape(-1, count)
    found = losses(points)
    enough = points[found >= loss]
    distances = np.linalg.norm(enough, axis=1)
    chosen: list[Floats] = []
    for index in np.argsort(distances, kind="stable"):
        unit = enough[index] / distances[index]
        if all(unit @ other < 0.9 * math.sqrt(float(other @ other)) for other in chosen):
            chosen.append(enough[index])
        if len(chosen) == _SEARCHES:
            break
    return chosen, float(found.max())
