"""Fourier inversion by a trapezoidal rule on Lewis's line whose error is bounded in advance.

With k = ln(F / K) an option is

    V = intrinsic + sqrt(F K) e^(-rT) TV(k),  TV(k) = e^(-|k|/2) - (1/pi) int_0^inf Re[e^(iuk) phi(u)] / (u^2 + 1/4) du,

phi(u) = E[exp((1/2 + iu) X)] (Lewis 2001). By Poisson's summation formula the rule with step 2 pi / L gives the sum of
the integral over all k + nL. The poles at u = +-i/2 make the part 2 cosh(k/2) / (e^(L/2) - 1) of it, known in closed
form; the rest is the sum of TV over the other k + nL, which `reach` bounds: L is chosen so that each is below a
tolerance. Nodes end where the modulus of phi, which falls along the line but for the swing of jumps, leaves less than
the tolerance; correlations near -1 or 1 may need an extrapolation. Accuracy is thus absolute, in units of sqrt(F K)
and, below 1, of the deviation of X: where the variance falls to zero TV does too, and since e^(-|k|/2), the poles and
the node at zero are added up without cancellation, it keeps its digits.

All strikes of one law (expiry and parameters) share the nodes: a strike only turns their coefficients.
"""

import math
from typing import Any

import numpy as np
from numba import njit

from quantmesh.quant import _heston_elementary_kernels as elementary
from quantmesh.quant import _heston_extrapolation as extrapolation
from quantmesh.quant import _heston_moments as moments
from quantmesh.quant._elementary_kernels import INLINE, compile_as
from quantmesh.quant._heston_moments import Law
from quantmesh.quant._heston_nodes import NODES, PLAIN, fill_coefficients, is_last

TOLERANCE = 1e-12
# Strikes that share the nodes: filled up to a multiple of the first number, and few enough to stay in the cache.
LANES, MOST_STRIKES = 16, 512
_UNROLLED = 4
# After so many blocks waves are computed anew, so that no error grows.
_AFRESH = 8
_MOST_BLOCKS = 1 << 13
# From so many blocks on partial sums are kept, PARTIAL_SUMS of them from one power of two to the next, where the nodes
# to come are extrapolated: to within so many tolerances, and the slopes to within a number.
_SLOW = extrapolation.PARTIAL_SUMS - 1
_CERTAIN, _CERTAIN_SLOPE = 10.0, 1e-8

for _function in (
    extrapolation.limit_of,
    moments.is_inside_domain,
    moments.relaxation,
    moments.expected_variance,
    moments.log_moment,
    moments.distance,
    moments.reach,
):
    compile_as(_function, _function, PLAIN)


def _set_waves(first: int, step: float, k: Any, waves: Any) -> None:
    """Rows of waves: e^(iuk) at the first node, real and imaginary, and its turn from node to node."""
    for j in range(k.size):
        sine, cosine = elementary.sine_and_cosine(first * step * k[j])
        waves[0, j] = cosine
        waves[1, j] = sine
    for j in range(k.size):
        sine, cosine = elementary.sine_and_cosine(step * k[j])
        waves[2, j] = cosine
        waves[3, j] = sine


def _accumulate(count: int, coefficients: Any, waves: Any, sums: Any) -> None:
    """Add Re[coefficient e^(iuk)] of a block of nodes to the first `count` rows of sums; turn the waves past them."""
    # An array made here overlaps no other, as the compiler knows: its loops are vector code without a check.
    passed = np.empty((2 * _UNROLLED, sums.shape[1]))
    for node in range(0, NODES, _UNROLLED):
        for j in range(sums.shape[1]):
            x, y = waves[0, j], waves[1, j]
            turn_x, turn_y = waves[2, j], waves[3, j]
            for i in range(_UNROLLED):
                passed[2 * i, j] = x
                passed[2 * i + 1, j] = y
                x, y = x * turn_x - y * turn_y, x * turn_y + y * turn_x
            waves[0, j] = x
            waves[1, j] = y
        for series in range(count):
            real = 2 * NODES * series + node
            imaginary = real + NODES
            for j in range(sums.shape[1]):
                total = sums[series, j]
                for i in range(_UNROLLED):
                    total += coefficients[real + i] * passed[2 * i, j]
                    total -= coefficients[imaginary + i] * passed[2 * i + 1, j]
                sums[series, j] = total


def _turned_back(count: int, coefficients: Any) -> Any:
    """Times -i: what gives the imaginary part in place of the real one."""
    turned = np.empty(2 * NODES * count)
    for series in range(count):
        real, imaginary = 2 * NODES * series, 2 * NODES * series + NODES
        for j in range(NODES):
            turned[real + j] = coefficients[imaginary + j]
            turned[imaginary + j] = -coefficients[real + j]
    return turned


def _add(more: Any, sums: Any) -> None:
    for series in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            sums[series, j] += more[series, j]


def _keep(real: Any, imaginary: Any, snapshots: Any, index: int) -> None:
    for series in range(real.shape[0]):
        for j in range(real.shape[1]):
            snapshots[index, series, j] = complex(real[series, j], imaginary[series, j])


def _extrapolate(snapshots: Any, tolerance: float, sums: Any) -> bool:
    """Add the limits of the snapshots to sums; False, and nothing, where one is not certain enough."""
    limits = np.empty_like(sums)
    for series in range(sums.shape[0]):
        certain = _CERTAIN * tolerance if series == 0 else _CERTAIN_SLOPE
        for j in range(sums.shape[1]):
            limit, error = extrapolation.limit_of(snapshots[:, series, j])
            if not error <= certain:
                return False
            limits[series, j] = limit.real
    add(limits, sums)
    return True


def _sum_slowly(step: float, law: Law, tolerance: float, k: Any, waves: Any, coefficients: Any, sums: Any) -> bool:
    """Add the nodes from block _SLOW on to sums, summed or extrapolated; False where they are too many."""
    count = sums.shape[0]
    # Sums of their own, and complex: what an extrapolation sees has small rounding errors and one sense of rotation.
    real, imaginary = np.zeros_like(sums), np.zeros_like(sums)
    snapshots = np.empty((extrapolation.PARTIAL_SUMS, count, k.size), dtype=np.complex128)
    octave = _SLOW
    for block in range(_SLOW, _MOST_BLOCKS):
        if block == 2 * octave:
            keep(real, imaginary, snapshots, _SLOW)
            if extrapolate(snapshots, tolerance, sums):
                return True
            octave = block
        stride = octave // _SLOW
        if block % stride == 0:
            keep(real, imaginary, snapshots, (block - octave) // stride)
        fill_coefficients(block * NODES, step, law, count, coefficients)
        if block % _AFRESH == 0:
            set_waves(block * NODES, step, k, waves)
        accumulate(count, turned_back(count, coefficients), waves.copy(), imaginary)
        accumulate(count, coefficients, waves, real)
        if is_last(block, step, law, count, tolerance, coefficients):
            add(real, sums)
            return True
    return False


def _integrate(
    law: Law, tolerance: float, reaches: Any, k: Any, count: int, coefficients: Any, sums: Any
) -> tuple[float, float]:
    """Fill the rows of sums; the period L and the exponent at u = 0.

    The period is NaN where the nodes do not suffice.
    """
    # Beyond its reach an option is at its intrinsic value: there a strike within takes its place.
    neighbour = 0.0
    for i in range(k.size):
        neighbour = k[i] if -reaches[0] < k[i] < reaches[1] else neighbour
    lowest, highest = 0.0, 0.0
    inside = np.empty_like(k)
    for i in range(k.size):
        inside[i] = k[i] if -reaches[0] < k[i] < reaches[1] else neighbour
        lowest = min(lowest, inside[i])
        highest = max(highest, inside[i])
    period = max(reaches[1] - lowest, reaches[0] + highest)
    step = 2.0 * math.pi / period
    waves = np.empty((4, inside.size))
    sums[:] = 0.0
    zero_exponent = 0.0
    for block in range(_SLOW):
        exponent = fill_coefficients(block * NODES, step, law, count, coefficients)
        if block == 0:
            zero_exponent = exponent
        if block % _AFRESH == 0:
            set_waves(block * NODES, step, inside, waves)
        accumulate(count, coefficients, waves, sums)
        if is_last(block, step, law, count, tolerance, coefficients):
            return period, zero_exponent
    ended = sum_slowly(step, law, tolerance, inside, waves, coefficients, sums)
    return period if ended else math.nan, zero_exponent


def _time_values(k: Any, period: float, zero_exponent: float, sums: Any) -> None:
    """Turn the first row of sums, over the nodes beyond zero, into TV(k)."""
    half = 0.5 * period
    offset = langevin(0.5 * half) - 4.0 * math.expm1(zero_exponent) / period
    pole = 4.0 / math.expm1(half)
    for j in range(k.size):
        distance = abs(k[j])
        growth = elementary.exponential_less_one(0.25 * distance)
        sinh = 0.5 * (growth + growth / (1.0 + growth))
        decay = elementary.exponential_less_one(-0.5 * distance)
        value = decay + offset + pole * sinh * sinh - sums[0, j]
        sums[0, j] = min(max(value, 0.0), 1.0 + decay)


def _langevin(y: float) -> float:
    """coth(y) - 1 / y."""
    if y > 0.2:
        return 1.0 / math.tanh(y) - 1.0 / y
    s = y * y
    series = 2.0 / 93555.0 - s * 1382.0 / 638512875.0
    series = 1.0 / 4725.0 - s * series
    series = 2.0 / 945.0 - s * series
    series = 1.0 / 45.0 - s * series
    return y * (1.0 / 3.0 - s * series)


langevin = njit(**INLINE)(_langevin)
turned_back = njit(**PLAIN)(_turned_back)
add = njit(**PLAIN)(_add)
keep = njit(**PLAIN)(_keep)
extrapolate = njit(**PLAIN)(_extrapolate)
set_waves = njit(**PLAIN)(_set_waves)
accumulate = njit(**PLAIN)(_accumulate)
sum_slowly = njit(**PLAIN)(_sum_slowly)
integrate = njit(**PLAIN)(_integrate)
time_values = njit(**PLAIN)(_time_values)
