"""Arguments of the closed forms: broadcast, checked, and the answer in their shape. Normal distributions on arrays."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant._arguments import (
    DIVIDEND_YIELD,
    PRICE,
    RATE,
    TIME_TO_EXPIRY,
    VOLATILITY,
    Domain,
    Floats,
    broadcast,
)
from quantmesh.quant._evaluation import Value
from quantmesh.quant.errors import DomainError

Flags = NDArray[np.bool_]

REBATE = PRICE._replace(name="rebate")
MARKET = (TIME_TO_EXPIRY, RATE, DIVIDEND_YIELD, VOLATILITY)
# Beyond so many deviations the normal distribution is 0 or 1 to the last bit.
FARTHEST = 40.0


class Arguments(NamedTuple):
    """`sign` is 1 for a call and -1 for a put; one-dimensional arrays of one common length."""

    shape: tuple[int, ...]
    sign: Floats
    values: tuple[Floats, ...]

    def answer(self, column: Floats) -> Value:
        return float(column[0]) if self.shape == () else column.reshape(self.shape)


def checked(option_type: ArrayLike, domains: tuple[Domain, ...], *values: ArrayLike) -> Arguments:
    columns = broadcast(option_type, *values)
    if columns.rows:
        columns.check(domains, 0, columns.rows)
    rows = (columns.rows,)
    sign = np.broadcast_to(columns.signs.astype(np.float64), rows)
    return Arguments(columns.shape, sign, tuple(np.broadcast_to(column, rows) for column in columns.values))


def raise_where(wrong: Flags, name: str, values: Floats, requirement: Callable[[int], str]) -> None:
    rows = np.flatnonzero(wrong)
    if rows.size:
        row = int(rows[0])
        raise DomainError(name, values[row], requirement(row), row if values.size > 1 else None)


def normal(x: Floats) -> Floats:
    # scipy takes a while to import: on first use.
    from scipy.special import ndtr

    probabilities: Floats = ndtr(x)
    return probabilities


def scaled_normal(exponent: Floats, x: Floats) -> Floats:
    """exp(exponent) times the normal distribution, where either alone may be beyond a double."""
    from scipy.special import log_ndtr

    scaled: Floats = np.exp(exponent + log_ndtr(x))
    return scaled


def standardized(logarithm: Floats, drift: Floats, deviation: Floats) -> Floats:
    """(logarithm + drift) / deviation + deviation / 2; at a far end, or 0, where nothing is random."""
    moneyness = logarithm + drift
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(deviation > 0.0, moneyness / deviation, np.sign(moneyness) * FARTHEST)
    d: Floats = ratio + 0.5 * deviation
    return d


def bivariate_normal(h: Floats, k: Floats, correlation: Floats) -> Floats:
    """P(X < h, Y < k) of standard normals, by Owen's T function (Owen 1956), to 1e-15."""
    from scipy.special import owens_t

    h, k = np.clip(h, -FARTHEST, FARTHEST), np.clip(k, -FARTHEST, FARTHEST)
    free = np.sqrt(np.maximum((1.0 - correlation) * (1.0 + correlation), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        toward_k, toward_h = (k / h - correlation) / free, (h / k - correlation) / free
        opposite = (h * k < 0.0) | ((h * k == 0.0) & (h + k < 0.0))
        inside = 0.5 * (normal(h) + normal(k)) - owens_t(h, toward_k) - owens_t(k, toward_h) - 0.5 * opposite
    centre = 0.25 + np.arcsin(correlation) / (2.0 * np.pi)
    together, apart = normal(np.minimum(h, k)), np.maximum(normal(h) + normal(k) - 1.0, 0.0)
    tied = np.where(correlation > 0.0, together, apart)
    general = np.where((h == 0.0) & (k == 0.0), centre, inside)
    return np.clip(np.where(free > 0.0, general, tied), 0.0, 1.0)
