"""The volatility of an American price, row by row, by Chandrupatla's bracketed interpolation (1997)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant import black_scholes
from quantmesh.quant._american_evaluation import prices
from quantmesh.quant._american_schemes import Accuracy
from quantmesh.quant._arguments import Columns, Floats, broadcast
from quantmesh.quant.black_scholes import Status

_MOST_STEPS = 80
_MOST_DOUBLINGS = 60
_RELATIVE = 4e-16
_WIDTH = 1e-13  # of the bracket, relative
_UNPRICED = (Status.BELOW_INTRINSIC, Status.ABOVE_BOUND)


def solve(columns: Columns, accuracy: Accuracy) -> tuple[Floats, NDArray[np.int8]]:
    """Volatility and status per row; `columns` begin with the price."""
    given: list[Any] = [np.broadcast_to(column, columns.rows) for column in columns.arrays]
    # Never below the American volatility, since an American option is worth at least as much as a European one.
    european, statuses = black_scholes.implied_volatilities(given[1], given[0], *given[2:])
    statuses = statuses.copy()
    rows = np.flatnonzero((statuses == Status.SOLVED) | np.isin(statuses, _UNPRICED))
    volatilities = np.full(columns.rows, np.nan)
    if not rows.size:
        return volatilities, statuses
    signs, price, spot, strike, time, rate, dividend_yield = (column[rows] for column in given)
    contract = (signs, spot, strike, time, rate, dividend_yield)

    def excess(volatility: Floats, among: NDArray[np.int64]) -> Floats:
        moved = broadcast(*(column[among] for column in contract), volatility)
        above: Floats = prices(moved, accuracy) - price[among]
        return above

    every = np.arange(rows.size)
    at_zero = excess(np.zeros(rows.size), every)
    bound = np.where(
        signs > 0,
        spot * np.exp(np.maximum(-dividend_yield * time, 0.0)),
        strike * np.exp(np.maximum(-rate * time, 0.0)),
    )
    rounding = _RELATIVE * np.maximum(spot, strike)
    found = np.where(at_zero <= rounding, Status.SOLVED, Status.BELOW_INTRINSIC)
    found = np.where(price < bound, found, Status.ABOVE_BOUND).astype(np.int8)
    answers = np.where(found == Status.SOLVED, 0.0, np.nan)
    live = np.flatnonzero((found == Status.SOLVED) & (at_zero < -rounding))
    if live.size:
        high = np.where(statuses[rows] == Status.SOLVED, european[rows], 0.0)
        answers[live] = _bracketed(
            lambda volatility, among: excess(volatility, live[among]),
            high[live],
            at_zero[live],
            1.0 / np.sqrt(time[live]),
        )
        found[live[np.isnan(answers[live])]] = Status.ABOVE_BOUND
    statuses[rows] = found
    volatilities[rows] = answers
    return volatilities, statuses


def _bracketed(
    excess: Callable[[Floats, NDArray[np.int64]], Floats], high: Floats, at_zero: Floats, unit: Floats
) -> Floats:
    """Where `excess(volatilities, rows)` is 0, or NaN where it stays negative; `high` is a guess from above, or 0."""
    every = np.arange(high.size)
    a, value_a = np.zeros(high.size), at_zero.copy()
    b = np.where(high > 0.0, high, unit)
    value_b = excess(b, every)
    for _ in range(_MOST_DOUBLINGS):
        below = np.flatnonzero(value_b < 0.0)
        if not below.size:
            break
        a[below], value_a[below] = b[below], value_b[below]
        b[below] *= 2.0
        value_b[below] = excess(b[below], below)
    a[value_b < 0.0] = np.nan
    # The first step goes most of the way back to where a straight line through 0 would end: prices are convex there.
    c, value_c = a.copy(), value_a.copy()
    share = np.full(high.size, 0.1)
    a, b, value_a, value_b = b, a, value_b, value_a
    live = np.flatnonzero((value_a > 0.0) & np.isfinite(b))
    for _ in range(_MOST_STEPS):
        if not live.size:
            break
        x = a[live] + share[live] * (b[live] - a[live])
        value = excess(x, live)
        same = np.sign(value) == np.sign(value_a[live])
        c[live], value_c[live] = np.where(same, a[live], b[live]), np.where(same, value_a[live], value_b[live])
        b[live], value_b[live] = np.where(same, b[live], a[live]), np.where(same, value_b[live], value_a[live])
        a[live], value_a[live] = x, value
        share[live] = _next_share(*(column[live] for column in (a, b, c, value_a, value_b, value_c)))
        width = np.abs(a[live] - b[live])
        live = live[(value_a[live] != 0.0) & (width > _WIDTH * np.abs(a[live]))]
    return np.where(np.abs(value_a) <= np.abs(value_b), a, b)


def _next_share(a: Floats, b: Floats, c: Floats, value_a: Floats, value_b: Floats, value_c: Floats) -> Floats:
    """How far to go from `a` to `b`: by inverse quadratic interpolation where that is safe, else half the way."""
    xi = (a - b) / (c - b)
    phi = (value_a - value_b) / (value_c - value_b)
    safe = (phi * phi < xi) & ((1.0 - phi) ** 2 < 1.0 - xi)
    with np.errstate(divide="ignore", invalid="ignore"):
        quadratic = value_a / (value_b - value_a) * value_c / (value_b - value_c) + (c - a) / (b - a) * value_a / (
            value_c - value_a
        ) * value_b / (value_c - value_b)
    least = np.minimum(0.5 * _WIDTH * np.abs(a) / np.abs(b - a), 0.5)
    return np.clip(np.where(safe, quadratic, 0.5), least, 1.0 - least)
