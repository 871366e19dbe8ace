"""Finite differences over columns of options, extrapolated from two grids."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant._american_schemes import Accuracy
from quantmesh.quant._arguments import Floats
from quantmesh.quant._threads import run_in_chunks

# Points and steps of the coarser of two grids; the error falls with their square, so that a third of the difference to
# twice as many is what is left.
GRIDS = {"fast": (201, 100), "accurate": (401, 200), "high_precision": (1201, 600)}
_ROUNDING = 1e-10
# Beyond it a grid does not reach as far as what gives the price.
LARGEST_DEVIATION = 3.0
NO_DIVIDENDS = np.empty(0)


def price_on_grids(
    signs: NDArray[np.int8],
    spots: Floats,
    contract: Sequence[Floats],
    dividend_times: Floats,
    dividend_amounts: Floats,
    accuracy: Accuracy,
    *,
    american: bool = True,
) -> Floats:
    """(contracts, spots, 3): price, delta and gamma. `spots` is (contracts or 1, spots); the columns of `contract`
    are strike, time to expiry, rate, dividend yield and volatility."""
    # Numba takes 0.7 s to import: on first use.
    from quantmesh.quant import _american_grid_kernels as kernels

    rows = max(spots.shape[0], signs.size, *(column.size for column in contract))
    coarse = np.empty((rows, spots.shape[1], 3))
    fine = np.empty_like(coarse)
    points, steps = GRIDS[accuracy]
    arguments = (signs, spots, *contract, dividend_times, dividend_amounts, american)

    def task(start: int, stop: int) -> None:
        kernels.price(*arguments, points, steps, start, stop, coarse)
        kernels.price(*arguments, 2 * points - 1, 2 * steps, start, stop, fine)

    run_in_chunks(task, rows, 1)
    found = fine + (fine - coarse) / 3.0
    np.maximum(found[..., 0], 0.0, out=found[..., 0])
    if american:
        _exercise(found, signs[:, None], spots, contract[0][:, None])
    return found


def _exercise(found: Floats, sign: NDArray[np.int8], spots: Floats, strike: Floats) -> None:
    """Take away what the extrapolation has added or lost where an option is exercised."""
    intrinsic = sign * (spots - strike)
    exercised = (intrinsic > 0.0) & (found[..., 0] <= intrinsic + _ROUNDING * strike)
    found[..., 0] = np.where(exercised, intrinsic, found[..., 0])
    found[..., 1] = np.where(exercised, sign, found[..., 1])
    found[..., 2] = np.where(exercised, 0.0, found[..., 2])
