"""Columns of American options through the kernels, and what these leave alone through the method that it belongs to."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant import _american_formulas as formulas
from quantmesh.quant import black_scholes
from quantmesh.quant._american_between import price_puts
from quantmesh.quant._american_grid import price_on_grids
from quantmesh.quant._american_schemes import LONG_SIZES, SIZES, Accuracy, Scheme, scheme_for
from quantmesh.quant._arguments import (
    DIVIDEND_YIELD,
    RATE,
    SPOT,
    STRIKE,
    TIME_TO_EXPIRY,
    VOLATILITY,
    Columns,
    Floats,
    broadcast,
)
from quantmesh.quant._limits import LARGEST_EXPONENT
from quantmesh.quant._threads import run_in_chunks

DOMAINS = (SPOT, STRIKE, TIME_TO_EXPIRY, RATE, DIVIDEND_YIELD, VOLATILITY)
_CHUNK_ROWS = 1_024
_LEAST_CHUNK_ROWS = 32  # a block of the kernels
_CHUNK_PRICES = 32_768
# Of the volatility, relative, and of the rate: a grid's error jumps where its points do, by some 1e-6 of a spot of 100;
# the boundary's is smooth.
_STEPS = {
    formulas.ONE_BOUNDARY: (1e-3, 1e-4),
    formulas.LONG_BOUNDARY: (1e-3, 1e-4),
    formulas.TWO_BOUNDARIES: (1e-2, 1e-3),
}


class _Rows(NamedTuple):
    signs: NDArray[np.int8]
    spot: Floats
    strike: Floats
    time_to_expiry: Floats
    rate: Floats
    dividend_yield: Floats
    volatility: Floats


def prices(columns: Columns, accuracy: Accuracy, kind: int | None = None) -> Floats:
    """With a `kind`, all that have one boundary are priced as those of that kind: their errors then differ smoothly."""
    return _evaluate(columns, accuracy, 1, kind)[0][:, 0]


def prices_and_greeks(columns: Columns, accuracy: Accuracy) -> Floats:
    """(rows, 6): price, delta, gamma, vega, theta, rho."""
    outputs, kinds = _evaluate(columns, accuracy, 6)
    for kind in _STEPS:
        found = np.flatnonzero(kinds == kind)
        if found.size:
            options = _taken(columns, found)
            live = np.abs(outputs[found, 2]) > 0.0
            outputs[found[live], 3], outputs[found[live], 5] = _vega_and_rho(
                _Rows(*(column[live] for column in options)), kind, partial(prices, accuracy=accuracy, kind=kind)
            )
    return outputs


def prices_over_spots(columns: Columns, spots: Floats, accuracy: Accuracy, kind: int | None = None) -> Floats:
    """(rows, spots), each boundary computed once. `columns` begin with the strike, `spots` is (rows or 1, spots).

    `kind` as in `prices`.
    """
    # Numba takes 0.7 s to import: on first use.
    from quantmesh.quant import _american_kernels as kernels

    outputs = np.empty((columns.rows, spots.shape[1]))
    kinds = np.empty(columns.rows, np.int8)
    scheme = _scheme(accuracy, kind)

    def task(start: int, stop: int) -> None:
        if kernels.price_over_spots(*columns.arrays, spots, start, stop, kind is None, *scheme, outputs, kinds):
            columns.check(DOMAINS[1:], start, stop)

    chunk = _CHUNK_PRICES // max(spots.shape[1], 1)
    run_in_chunks(task, columns.rows, min(max(chunk, _LEAST_CHUNK_ROWS), _CHUNK_ROWS))
    found = np.flatnonzero(kinds == formulas.TWO_BOUNDARIES)
    if found.size:
        signs, *contract = _taken(columns, found)
        own = spots if spots.shape[0] == 1 else spots[found]
        outputs[found] = _as_puts(signs, own, contract, accuracy)[..., 0]
    found = np.flatnonzero(kinds == formulas.LONG_BOUNDARY)
    if found.size:
        own = spots if spots.shape[0] == 1 else spots[found]
        long = broadcast(*_taken(columns, found))
        outputs[found] = prices_over_spots(long, own, accuracy, formulas.LONG_BOUNDARY)
    return outputs


def _scheme(accuracy: Accuracy, kind: int | None) -> Scheme:
    return scheme_for((LONG_SIZES if kind == formulas.LONG_BOUNDARY else SIZES)[accuracy])


def _evaluate(
    columns: Columns, accuracy: Accuracy, count: int, kind: int | None = None
) -> tuple[Floats, NDArray[np.int8]]:
    """Prices, with `count` 6 also Greeks but for vega and rho of early exercise; and every row's kind.

    `kind` as in `prices`.
    """
    # Numba takes 0.7 s to import: on first use.
    from quantmesh.quant import _american_kernels as kernels

    outputs = np.zeros((columns.rows, count))
    kinds = np.empty(columns.rows, np.int8)
    scheme = _scheme(accuracy, kind)

    def task(start: int, stop: int) -> None:
        if kernels.price(*columns.arrays, start, stop, kind is None, *scheme, outputs, kinds):
            columns.check(DOMAINS, start, stop)

    run_in_chunks(task, columns.rows, _CHUNK_ROWS)
    found = np.flatnonzero(kinds == formulas.EUROPEAN)
    if found.size:
        options = _taken(columns, found)
        if count == 1:
            outputs[found, 0] = black_scholes.price(*options)
        else:
            outputs[found] = np.stack(list(black_scholes.price_and_greeks(*options)), axis=-1)
    found = np.flatnonzero(kinds == formulas.TWO_BOUNDARIES)
    if found.size:
        outputs[found] = _between_two_boundaries(_Rows(*_taken(columns, found)), accuracy)[:, :count]
    found = np.flatnonzero(kinds == formulas.LONG_BOUNDARY)
    if found.size:
        long = broadcast(*_taken(columns, found))
        outputs[found] = _evaluate(long, accuracy, count, formulas.LONG_BOUNDARY)[0]
    return outputs, kinds


def with_dividends(
    columns: Columns, times: Floats, amounts: Floats, accuracy: Accuracy, *, american: bool
) -> tuple[_Rows, Floats]:
    """Every row's contract, and (rows, 3): price, delta and gamma."""
    rows = _Rows(*_taken(columns, np.arange(columns.rows)))
    found = price_on_grids(rows.signs, rows.spot[:, None], rows[2:], times, amounts, accuracy, american=american)
    return rows, found[:, 0]


def greeks_with_dividends(
    columns: Columns, times: Floats, amounts: Floats, accuracy: Accuracy, *, american: bool
) -> Floats:
    """(rows, 6): price, delta, gamma, vega, theta, rho."""

    def price(moved: Columns) -> Floats:
        return with_dividends(moved, times, amounts, accuracy, american=american)[1][:, 0]

    rows, found = with_dividends(columns, times, amounts, accuracy, american=american)
    outputs = _with_theta(rows, found, american=american)
    waiting = ~_exercised(rows, found[:, 0]) if american else np.ones(columns.rows, np.bool_)
    live = np.flatnonzero(waiting & (rows.time_to_expiry > 0.0))
    if live.size:
        options = _Rows(rows.signs[live], *(column[live] for column in rows[1:]))
        outputs[live, 3], outputs[live, 5] = _vega_and_rho(options, formulas.TWO_BOUNDARIES, price)
    return outputs


def _between_two_boundaries(rows: _Rows, accuracy: Accuracy) -> Floats:
    """Vega and rho are left at 0."""
    found = _as_puts(rows.signs, rows.spot[:, None], rows[2:], accuracy)[:, 0]
    return _with_theta(rows, found, american=True)


def _as_puts(signs: NDArray[np.int8], spots: Floats, contract: Sequence[Floats], accuracy: Accuracy) -> Floats:
    """As `price_puts`, a call as puts with rate and yield exchanged.

    A call on S struck at K is worth S / K puts on K^2 / S struck at K (McDonald and Schroder, 1998).
    """
    strike, time, rate, dividend_yield, volatility = contract
    is_call = signs > 0
    mirrored = is_call[:, None]
    spots, strikes = np.broadcast_arrays(spots, strike[:, None])
    ratio = np.where(spots > 0.0, spots, strikes) / strikes
    own = np.where(mirrored, strikes / ratio, spots)
    rates = np.where(is_call, dividend_yield, rate), np.where(is_call, rate, dividend_yield)
    found = price_puts(own, (strike, time, *rates, volatility), accuracy)
    price, slope, curvature = np.moveaxis(found, -1, 0)
    calls = np.stack([ratio * price, price / strikes - slope / ratio, curvature / ratio**3], axis=-1)
    calls[spots == 0.0] = 0.0
    answer = np.where(mirrored[..., None], calls, found)
    # To the last digit, which the transformation may lose.
    exercised = (slope == -1.0) & (curvature == 0.0)
    answer[..., 0] = np.where(exercised, signs[:, None] * (spots - strikes), answer[..., 0])
    answer[..., 1] = np.where(exercised, signs[:, None], answer[..., 1])
    return answer


def _exercised(rows: _Rows, price: Floats) -> NDArray[np.bool_]:
    exercised: NDArray[np.bool_] = price <= rows.signs * (rows.spot - rows.strike)
    return exercised


def _with_theta(rows: _Rows, found: Floats, *, american: bool) -> Floats:
    """Price, delta, gamma, and theta by the Black-Scholes equation, which holds where an option is not exercised.

    Vega and rho are left at 0.
    """
    price, delta, gamma = found.T
    growth = (rows.rate - rows.dividend_yield) * rows.spot * delta
    moves = (rows.volatility * rows.spot) ** 2 > 0.0
    theta = rows.rate * price - growth - np.where(moves, 0.5 * (rows.volatility * rows.spot) ** 2 * gamma, 0.0)
    held = (rows.time_to_expiry > 0.0) & ~(_exercised(rows, price) & american)
    zero = np.zeros_like(price)
    return np.stack([price, delta, gamma, zero, np.where(held, theta, 0.0), zero], axis=-1)


def _vega_and_rho(rows: _Rows, kind: int, price: Callable[[Columns], Floats]) -> tuple[Floats, Floats]:
    """By central differences, smooth as the prices are in both; vega is 0 without volatility."""
    relative_step, rate_step = _STEPS[kind]
    volatility_step = relative_step * rows.volatility
    # A rate may lie at the very end of its domain.
    longest = np.maximum(rows.time_to_expiry, 1.0)
    highest = LARGEST_EXPONENT / rows.time_to_expiry
    rate_above = np.minimum(rows.rate + rate_step / longest, highest)
    rate_below = np.maximum(rows.rate - rate_step / longest, -highest)
    moved = [
        rows._replace(volatility=rows.volatility + volatility_step),
        rows._replace(volatility=rows.volatility - volatility_step),
        rows._replace(rate=rate_above),
        rows._replace(rate=rate_below),
    ]
    columns = broadcast(*(np.concatenate(parts) for parts in zip(*moved, strict=True)))
    higher, lower, dearer, cheaper = price(columns).reshape(4, -1)
    width = np.where(volatility_step > 0.0, 2.0 * volatility_step, 1.0)
    return (higher - lower) / width, (dearer - cheaper) / (rate_above - rate_below)


def _taken(columns: Columns, rows: NDArray[np.int64]) -> list[Any]:
    """The option types and values of these rows."""
    return [column[rows] if column.size > 1 else np.full(rows.size, column[0]) for column in columns.arrays]
