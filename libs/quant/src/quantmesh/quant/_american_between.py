"""American puts that are exercised between two boundaries, by the integral of what exercise earns there."""

from collections.abc import Sequence

import numpy as np

from quantmesh.quant._american_grid import NO_DIVIDENDS, price_on_grids
from quantmesh.quant._american_schemes import Accuracy, angles
from quantmesh.quant._american_two_boundaries import SIZES, Boundaries, locate, meeting_times, refine
from quantmesh.quant._american_two_boundary_equations import Puts, Sizes
from quantmesh.quant._arguments import Floats
from quantmesh.quant._threads import run_in_chunks

_CHUNK_ROWS = 64
_SPOTS_AT_ONCE = 32
# Over the root of the whole life, in deviations: beyond it the boundaries turn too sharply for any polynomial.
_LARGEST_DRIFT = 3.0
_LEAST_SPOT = 1e-100
_ROOT_TWO_PI = 2.5066282746310002


def price_puts(spots: Floats, contract: Sequence[Floats], accuracy: Accuracy) -> Floats:
    """(contracts, spots, 3): price, delta and gamma. `spots` is (contracts, spots); the columns of `contract` are
    strike, time to expiry, rate, dividend yield and volatility.

    By finite differences where the boundaries are not found, or do not pass the test of their values: of 3,000 random
    contracts whose drift to expiry was below 2.5 deviations, 2 with "fast" and none with "accurate".
    """
    found = np.full((*spots.shape, 3), np.nan)

    def task(start: int, stop: int) -> None:
        rows = slice(start, stop)
        strike, time, *terms = (column[rows] for column in contract)
        found[rows] = _price(spots[rows] / strike[:, None], time, Puts(*terms), SIZES[accuracy])
        found[rows, :, 0] *= strike[:, None]
        found[rows, :, 2] /= strike[:, None]

    run_in_chunks(task, spots.shape[0], _CHUNK_ROWS)
    left = np.flatnonzero(np.isnan(found).any(axis=(1, 2)))
    if left.size:
        own = [column[left] for column in contract]
        puts = np.full(left.size, -1, np.int8)
        found[left] = price_on_grids(puts, spots[left], own, NO_DIVIDENDS, NO_DIVIDENDS, accuracy)
    return found


def _price(spots: Floats, time: Floats, puts: Puts, sizes: Sizes) -> Floats:
    """Strikes of 1; NaN where the boundaries cannot be found."""
    found = np.full((*spots.shape, 3), np.nan)
    drift = (puts.rate - puts.dividend_yield) * np.sqrt(time) / puts.volatility
    rows = np.flatnonzero(drift <= _LARGEST_DRIFT)
    coarse = locate(puts.taken(rows), time[rows])
    rows, coarse = rows[coarse.converged], coarse.taken(coarse.converged)
    boundaries = refine(puts.taken(rows), coarse, sizes)
    rows, boundaries = rows[boundaries.converged], boundaries.taken(boundaries.converged)
    own = puts.taken(rows)
    if rows.size:
        meeting = meeting_times(own, boundaries)
        until = np.minimum(time[rows], meeting)
        upper, lower = boundaries.at(own, until[:, None])
        # There it must be worth what exercise yields: a test of the boundaries, which come from the slope alone.
        at_boundaries = np.concatenate([np.exp(-upper), np.exp(lower - own.width[:, None])], axis=1)
        tested = _integrate(at_boundaries, until, own, boundaries, meeting, sizes)
        error = np.max(np.abs(tested[..., 0] - (1.0 - at_boundaries)), axis=1)
        held = np.maximum(spots[rows], _LEAST_SPOT)
        for start in range(0, held.shape[1], _SPOTS_AT_ONCE):
            part = held[:, start : start + _SPOTS_AT_ONCE]
            total = _integrate(part, time[rows], own, boundaries, meeting, sizes)
            _exercise(total, part, time[rows], own, boundaries, meeting)
            found[rows, start : start + _SPOTS_AT_ONCE] = total
        found[rows[~(error <= sizes.tolerance)]] = np.nan
    return found


def _integrate(
    spots: Floats, time: Floats, puts: Puts, boundaries: Boundaries, meeting: Floats, sizes: Sizes
) -> Floats:
    """The integral runs over an angle whose sine and cosine are the roots of the time left and elapsed."""
    from scipy.special import ndtr

    rate, dividend_yield, volatility = (column[:, None, None] for column in puts)
    until = np.minimum(time, meeting)
    sine, _, weight = angles(sizes.premium)
    angle = np.outer(np.arcsin(np.sqrt(until / time)), 2.0 / np.pi * np.arcsin(sine))
    weight = np.outer(np.arcsin(np.sqrt(until / time)), 2.0 / np.pi * weight)
    left, elapsed = time[:, None] * np.sin(angle) ** 2, (time[:, None] * np.cos(angle) ** 2)[:, None, :]
    weight = (weight * time[:, None] * np.sin(2.0 * angle))[:, None, :]
    upper, lower = boundaries.at(puts, left)
    spot = spots[:, :, None]
    log_spot = np.log(spot)
    total = np.stack(_european(spots, time, puts), axis=-1)
    discount, carry = np.exp(-rate * elapsed), np.exp(-dividend_yield * elapsed)
    spread = volatility * np.sqrt(elapsed)
    for sign, logs in ((1.0, -upper), (-1.0, lower - puts.width[:, None])):
        log_boundary = logs[:, None, :]
        plus = (log_spot - log_boundary + (rate - dividend_yield) * elapsed) / spread + 0.5 * spread
        minus = plus - spread
        below = carry * ndtr(-plus)
        earned = rate - dividend_yield * np.exp(log_boundary)
        density = discount * np.exp(-0.5 * minus * minus) / (_ROOT_TWO_PI * spread * spot)
        curved = earned * (1.0 + minus / spread) + dividend_yield * np.exp(log_boundary)
        terms = (
            rate * discount * ndtr(-minus) - dividend_yield * spot * below,
            -earned * density - dividend_yield * below,
            curved * density / spot,
        )
        for index, term in enumerate(terms):
            total[..., index] += sign * np.sum(weight * term, axis=-1)
    return total


def _european(spots: Floats, time: Floats, puts: Puts) -> tuple[Floats, Floats, Floats]:
    from scipy.special import ndtr

    rate, dividend_yield, volatility = (column[:, None] for column in puts)
    time = time[:, None]
    spread = volatility * np.sqrt(time)
    plus = (np.log(spots) + (rate - dividend_yield) * time) / spread + 0.5 * spread
    minus = plus - spread
    discount = np.exp(-rate * time)
    below = np.exp(-dividend_yield * time) * ndtr(-plus)
    density = discount * np.exp(-0.5 * minus * minus) / (_ROOT_TWO_PI * spread * spots)
    return discount * ndtr(-minus) - spots * below, -below, density / spots


def _exercise(total: Floats, spots: Floats, time: Floats, puts: Puts, boundaries: Boundaries, meeting: Floats) -> None:
    """Between the boundaries of today, if they have not met, and where rounding has lost what the put is worth more."""
    upper, lower = (gap[:, :1] for gap in boundaries.at(puts, np.minimum(time, boundaries.span)[:, None]))
    log_spot = np.log(spots)
    between = (log_spot <= -upper) & (log_spot >= lower - puts.width[:, None]) & (meeting > time)[:, None]
    exercised = between | (total[..., 0] <= 1.0 - spots)
    total[exercised, 0] = np.broadcast_to(1.0 - spots, exercised.shape)[exercised]
    total[exercised, 1] = -1.0
    total[exercised, 2] = 0.0
