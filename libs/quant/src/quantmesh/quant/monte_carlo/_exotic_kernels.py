"""Discounted payoffs of several assets, of extremes and of periods; conventions of `_payoff_kernels`."""

from typing import Any

import numpy as np
from numba import njit, types

from quantmesh.quant import _normal_quantile as quantiles
from quantmesh.quant._elementary import exponential, square_root
from quantmesh.quant._elementary_kernels import unsigned
from quantmesh.quant.monte_carlo._tiles import OPTIONS, TILE


def _lookback(
    block: Any,
    stride: int,
    continuous: bool,
    start: float,
    extreme: float,
    side: float,
    floating: bool,
    sign: float,
    strike: float,
    discount: float,
    values: Any,
    row: int,
) -> None:
    """`side` is 1 for the highest and -1 for the lowest; `start` and `extreme` are logarithms.

    Between two steps of continuous monitoring the extreme of the Brownian bridge is drawn from its law, with the
    uniform numbers of the last row (Glasserman 2004, section 6.4).
    """
    paths, steps, uniform = block.shape[2], block.shape[0], block.shape[1] - 1
    before, farthest = np.empty(TILE), np.empty(TILE)
    for begin in range(0, paths, TILE):
        count = min(TILE, paths - begin)
        before[:] = side * start
        farthest[:] = side * extreme
        for step in range(stride - 1, steps, stride):
            if continuous:
                for j in range(count):
                    a, b = before[j], side * block[step, 0, unsigned(begin + j)]
                    spread = (
                        2.0
                        * block[step, 1, unsigned(begin + j)]
                        * quantiles.minus_logarithm(block[step, uniform, unsigned(begin + j)])
                    )
                    reached = 0.5 * (a + b + square_root((b - a) * (b - a) + spread))
                    farthest[j] = max(farthest[j], reached)
                    before[j] = b
            else:
                for j in range(count):
                    farthest[j] = max(farthest[j], side * block[step, 0, unsigned(begin + j)])
        for j in range(count):
            reached = exponential(side * farthest[j])
            gain = exponential(block[steps - 1, 0, unsigned(begin + j)]) - reached if floating else reached - strike
            values[row, unsigned(begin + j)] = discount * max(sign * gain, 0.0)


def _basket(block: Any, weights: Any, sign: float, strike: float, discount: float, values: Any, row: int) -> None:
    last = block.shape[0] - 1
    for j in range(block.shape[2]):
        values[row, j] = -strike
    for asset in range(weights.size):
        for j in range(block.shape[2]):
            values[row, j] += weights[asset] * exponential(block[last, asset, j])
    for j in range(block.shape[2]):
        values[row, j] = discount * max(sign * values[row, j], 0.0)


def _geometric_basket(
    block: Any, exponents: Any, log_scale: float, sign: float, strike: float, discount: float, values: Any, row: int
) -> None:
    last = block.shape[0] - 1
    for j in range(block.shape[2]):
        values[row, j] = log_scale
    for asset in range(exponents.size):
        for j in range(block.shape[2]):
            values[row, j] += exponents[asset] * block[last, asset, j]
    for j in range(block.shape[2]):
        values[row, j] = discount * max(sign * (exponential(values[row, j]) - strike), 0.0)


def _ranked(
    block: Any, assets: int, side: float, sign: float, strike: float, discount: float, values: Any, row: int
) -> None:
    """On the greatest (`side` 1) or least (-1) of the assets."""
    last = block.shape[0] - 1
    for j in range(block.shape[2]):
        farthest = side * block[last, 0, j]
        for asset in range(1, assets):
            farthest = max(farthest, side * block[last, asset, j])
        values[row, j] = discount * max(sign * (exponential(side * farthest) - strike), 0.0)


def _cliquet(
    block: Any,
    stride: int,
    start: float,
    local_floor: float,
    local_cap: float,
    global_floor: float,
    global_cap: float,
    amount: float,
    values: Any,
    row: int,
) -> None:
    for j in range(block.shape[2]):
        values[row, j] = 0.0
    for step in range(stride - 1, block.shape[0], stride):
        for j in range(block.shape[2]):
            before = start if step < stride else block[step - stride, 0, j]
            gain = exponential(block[step, 0, j] - before) - 1.0
            values[row, j] += min(max(gain, local_floor), local_cap)
    for j in range(block.shape[2]):
        values[row, j] = amount * min(max(values[row, j], global_floor), global_cap)


def _autocallable(
    block: Any,
    stride: int,
    starts: Any,
    barrier: float,
    coupon: float,
    protection: float,
    notional: float,
    discounts: Any,
    values: Any,
    row: int,
) -> None:
    """`barrier` and `protection` are logarithms of the worst asset's performance."""
    steps = block.shape[0]
    for j in range(block.shape[2]):
        value, worst = -1.0, 0.0
        for step in range(stride - 1, steps, stride):
            worst = block[step, 0, j] - starts[0]
            for asset in range(1, starts.size):
                worst = min(worst, block[step, asset, j] - starts[asset])
            if worst >= barrier:
                value = discounts[step + 1] * notional * (1.0 + coupon * ((step + 1) // stride))
                break
        if value < 0.0:
            value = discounts[steps] * notional * (1.0 if worst >= protection else exponential(worst))
        values[row, j] = value


_BLOCK = types.float64[:, :, ::1]
_VECTOR = types.float64[::1]
_VALUES = types.float64[:, ::1]
_NUMBER, _INDEX, _CHOICE = types.float64, types.int64, types.boolean
lookback = njit(
    types.void(_BLOCK, _INDEX, _CHOICE, *[_NUMBER] * 3, _CHOICE, *[_NUMBER] * 3, _VALUES, _INDEX), **OPTIONS
)(_lookback)
basket = njit(types.void(_BLOCK, _VECTOR, *[_NUMBER] * 3, _VALUES, _INDEX), **OPTIONS)(_basket)
geometric_basket = njit(types.void(_BLOCK, _VECTOR, *[_NUMBER] * 4, _VALUES, _INDEX), **OPTIONS)(_geometric_basket)
ranked = njit(types.void(_BLOCK, _INDEX, *[_NUMBER] * 4, _VALUES, _INDEX), **OPTIONS)(_ranked)
cliquet = njit(types.void(_BLOCK, _INDEX, *[_NUMBER] * 6, _VALUES, _INDEX), **OPTIONS)(_cliquet)
autocallable = njit(types.void(_BLOCK, _INDEX, _VECTOR, *[_NUMBER] * 4, _VECTOR, _VALUES, _INDEX), **OPTIONS)(
    _autocallable
)
