"""Columns of American options through the kernels, and what these leave alone through the method that it belongs to."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant import _american_formulas as formulas
from quantmesh.quant import black_scholes
from quantmesh.quant._american_grid import NO_DIVIDENDS, price_on_grids
from quantmesh.quant._american_schemes import SIZES, Accuracy, scheme_for
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
# A grid's error jumps where its points do, by some 1e-6 of a spot of 100; the boundary's is smooth.
_VOLATILITY_STEPS = {formulas.ONE_BOUNDARY: 1e-3, formulas.TWO_BOUNDARIES: 1e-2}  # of itself
_RATE_STEPS = {formulas.ONE_BOUNDARY: 1e-4, formulas.TWO_BOUNDARIES: 1e-3}


class _Rows(NamedTuple):
    signs: NDArray[np.int8]
    spot: Floats
    strike: Floats
    time_to_expiry: Floats
    rate: Floats
    dividend_yield: Floats
    volatility: Floats


def prices(columns: Columns, accuracy: Accuracy) -> Floats:
    return _evaluate(columns, accuracy, 1)[0][:, 0]


def prices_and_greeks(columns: Columns, accuracy: Accuracy) -> Floats:
    """(rows, 6): price, delta, gamma, vega, theta, rho."""
    outputs, kinds = _evaluate(columns, accuracy, 6)
    for kind in _VOLATILITY_STEPS:
        found = np.flatnonzero(kinds == kind)
        if found.size:
            options = _taken(columns, found)
            live = np.abs(outputs[found, 2]) > 0.0
            outputs[found[live], 3], outputs[found[live], 5] = _vega_and_rho(
                _Rows(*(column[live] for column in options)), kind, accuracy
            )
    return outputs


def prices_over_spots(columns: Columns, spots: Floats, accuracy: Accuracy) -> Floats:
    """(rows, spots), each boundary computed once. `columns` begin with the strike, `spots` is (rows or 1, spots)."""
    # Numba takes 0.7 s to import: on first use.
    from quantmesh.quant import _american_kernels as kernels

    outputs = np.empty((columns.rows, spots.shape[1]))
    kinds = np.empty(columns.rows, np.int8)
    scheme = scheme_for(SIZES[accuracy])

    def task(start: int, stop: int) -> None:
        if kernels.price_over_spots(*columns.arrays, spots, start, stop, *scheme, outputs, kinds):
            columns.check(DOMAINS[1:], start, stop)

    chunk = _CHUNK_PRICES // max(spots.shape[1], 1)
    run_in_chunks(task, columns.rows, min(max(chunk, _LEAST_CHUNK_ROWS), _CHUNK_ROWS))
    found = np.flatnonzero(kinds == formulas.TWO_BOUNDARIES)
    if found.size:
        signs, *contract = _taken(columns, found)
        own = spots if spots.shape[0] == 1 else spots[found]
        outputs[found] = price_on_grids(signs, own, contract, NO_DIVIDENDS, NO_DIVIDENDS, accuracy)[..., 0]
    return outputs


def _evaluate(columns: Columns, accuracy: Accuracy, count: int) -> tuple[Floats, NDArray[np.int8]]:
    """Prices, with `count` 6 also Greeks but for vega and rho of early exercise; and every row's kind."""
    # Numba takes 0.7 s to import: on first use.
    from quantmesh.quant import _american_kernels as kernels

    outputs = np.zeros((columns.rows, count))
    kinds = np.empty(columns.rows, np.int8)
    scheme = scheme_for(SIZES[accuracy])

    def task(start: int, stop: int) -> None:
        if kernels.price(*columns.arrays, start, stop, *scheme, outputs, kinds):
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
    return outputs, kinds


def _between_two_boundaries(rows: _Rows, accuracy: Accuracy) -> Floats:
    """Vega and rho are left at 0."""
    on_grid = price_on_grids(rows.signs, rows.spot[:, None], rows[2:], NO_DIVIDENDS, NO_DIVIDENDS, accuracy)[:, 0]
    price, delta, gamma = on_grid.T
    held = price > rows.signs * (rows.spot - rows.strike)
    growth = (rows.rate - rows.dividend_yield) * rows.spot * delta
    theta = rows.rate * price - growth - 0.5 * (rows.volatility * rows.spot) ** 2 * gamma
    zero = np.zeros_like(price)
    return np.stack([price, delta, gamma, zero, np.where(held, theta, 0.0), zero], axis=-1)


def _vega_and_rho(rows: _Rows, kind: int, accuracy: Accuracy) -> tuple[Floats, Floats]:
    """By central differences, smooth as the prices are in both."""
    volatility_step = _VOLATILITY_STEPS[kind] * rows.volatility
    # A rate may lie at the very end of its domain.
    longest = np.maximum(rows.time_to_expiry, 1.0)
    highest = LARGEST_EXPONENT / rows.time_to_expiry
    rate_above = np.minimum(rows.rate + _RATE_STEPS[kind] / longest, highest)
    rate_below = np.maximum(rows.rate - _RATE_STEPS[kind] / longest, -highest)
    moved = [
        rows._replace(volatility=rows.volatility + volatility_step),
        rows._replace(volatility=rows.volatility - volatility_step),
        rows._replace(rate=rate_above),
        rows._replace(rate=rate_below),
    ]
    columns = broadcast(*(np.concatenate(parts) for parts in zip(*moved, strict=True)))
    higher, lower, dearer, cheaper = prices(columns, accuracy).reshape(4, -1)
    return (higher - lower) / (2.0 * volatility_step), (dearer - cheaper) / (rate_above - rate_below)


def _taken(columns: Columns, rows: NDArray[np.int64]) -> list[Any]:
    """The option types and values of these rows."""
    return [column[rows] if column.size > 1 else np.full(rows.size, column[0]) for column in columns.arrays]
