"""Fourier inversion by a trapezoidal rule on Lewis's line whose error is bounded in advance.

With k = ln(F / K) an option is

    V = intrinsic + sqrt(F K) e^(-rT) TV(k),  TV(k) = e^(-|k|/2) - (1/pi) int_0^inf Re[e^(iuk) phi(u)] / (u^2 + 1/4) du,

phi(u) = E[exp((1/2 + iu) X)] (Lewis 2001). By Poisson's summation formula the rule with step 2 pi / L gives the sum of
the integral over all k + nL. The poles at u = +-i/2 make the part 2 cosh(k/2) / (e^(L/2) - 1) of it, known in closed
form; the rest is the sum of TV over the other k + nL, which `reach` bounds: L is chosen so that each is below a
tolerance. Nodes end where the modulus of phi, which falls along the line but for the swing of jumps, leaves less than
the tolerance. Accuracy is thus absolute, in units of sqrt(F K) and, below 1, of the deviation of X: where the variance
falls to zero TV does too, and since e^(-|k|/2), the poles and the node at zero are added up without cancellation, it
keeps its digits.

All strikes of one law (expiry and parameters) share the nodes: a strike only turns their coefficients.
"""

import math
from typing import Any

import numpy as np
from numba import njit

from quantmesh.quant import _heston_elementary
from quantmesh.quant import _heston_elementary_kernels as elementary
from quantmesh.quant import _heston_formulas as formulas
from quantmesh.quant import _heston_moments as moments
from quantmesh.quant._elementary_kernels import INLINE, compile_as
from quantmesh.quant._heston_moments import Law

TOLERANCE = 1e-12
NODES = 32
# Strikes that share the nodes: filled up to a multiple of the first number, and few enough to stay in the cache.
LANES, MOST_STRIKES = 16, 512
UNROLLED = 4
# After so many blocks waves are computed anew, so that no error grows.
AFRESH = 8
MOST_BLOCKS = 1 << 15
# Series over the nodes: the integral, its slope in k, the density, and the integral by v0, kappa, theta, sigma, rho and
# time; then by the three parameters of the jumps. Coefficients lie in two rows each, real and imaginary, and phi last.
PRICE_SERIES, HESTON_SERIES, BATES_SERIES = 1, 9, 12
SLOPE, DENSITY, BY_V0, BY_TIME, BY_JUMPS = 1, 2, 3, 8, 9
COEFFICIENTS = 2 * NODES * (BATES_SERIES + 1)
# Of e, so that its power is a double.
_LARGEST_SWING = 700.0
PLAIN: Any = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}

for _formula in (
    formulas.exponent,
    formulas.exponent_and_gradients,
    formulas.ratio_slope,
    formulas.logarithm_excess,
    formulas.jump_exponent_and_gradients,
):
    compile_as(_formula, _formula)
for _function in (
    formulas.jump_swing,
    moments.is_inside_domain,
    moments.relaxation,
    moments.expected_variance,
    moments.log_moment,
    moments.distance,
    moments.reach,
):
    compile_as(_function, _function, PLAIN)


def _store(coefficients: Any, series: int, j: int, value: complex) -> None:
    coefficients[2 * series * NODES + j] = value.real
    coefficients[(2 * series + 1) * NODES + j] = value.imag


def _exponents(first: int, step: float, law: Law, count: int, coefficients: Any) -> None:
    """The exponents of a block of nodes, in the rows of phi, and their derivatives, in those of their series."""
    phi = BATES_SERIES
    if count == PRICE_SERIES:
        for j in range(NODES):
            u = (first + j) * step
            store(
                coefficients,
                phi,
                j,
                formulas.exponent(u, law.time, law.v0, law.kappa, law.theta, law.sigma, law.rho),
            )
    else:
        for j in range(NODES):
            u = (first + j) * step
            psi, by_v0, by_kappa, by_theta, by_sigma, by_rho, by_time = formulas.exponent_and_gradients(
                u, law.time, law.v0, law.kappa, law.theta, law.sigma, law.rho
            )
            store(coefficients, phi, j, psi)
            store(coefficients, BY_V0, j, by_v0)
            store(coefficients, BY_V0 + 1, j, by_kappa)
            store(coefficients, BY_V0 + 2, j, by_theta)
            store(coefficients, BY_V0 + 3, j, by_sigma)
            store(coefficients, BY_V0 + 4, j, by_rho)
            store(coefficients, BY_TIME, j, by_time)
    if count == BATES_SERIES or law.jump_intensity > 0.0:
        real, imaginary = 2 * NODES * phi, 2 * NODES * phi + NODES
        for j in range(NODES):
            u = (first + j) * step
            yearly, by_intensity, by_mean, by_volatility = formulas.jump_exponent_and_gradients(
                u, law.jump_intensity, law.jump_mean, law.jump_volatility
            )
            coefficients[real + j] += law.time * yearly.real
            coefficients[imaginary + j] += law.time * yearly.imag
            coefficients[2 * NODES * BY_TIME + j] += yearly.real
            coefficients[2 * NODES * BY_TIME + NODES + j] += yearly.imag
            store(coefficients, BY_JUMPS, j, law.time * by_intensity)
            store(coefficients, BY_JUMPS + 1, j, law.time * by_mean)
            store(coefficients, BY_JUMPS + 2, j, law.time * by_volatility)


def _fill_coefficients(first: int, step: float, law: Law, count: int, coefficients: Any) -> float:
    """The coefficients of a block of nodes; answers the exponent at its first node.

    At u = 0 the integral's own is left out: `time_value` adds it without losing digits.
    """
    exponents(first, step, law, count, coefficients)
    real, imaginary = 2 * NODES * BATES_SERIES, 2 * NODES * BATES_SERIES + NODES
    exponent: float = coefficients[real]
    for j in range(NODES):
        phi = _heston_elementary.exponential(complex(coefficients[real + j], coefficients[imaginary + j]))
        coefficients[real + j] = phi.real
        coefficients[imaginary + j] = phi.imag
    weight = step / math.pi
    for j in range(NODES):
        u = (first + j) * step
        share = weight / (u * u + 0.25)
        coefficients[j] = share * coefficients[real + j]
        coefficients[NODES + j] = share * coefficients[imaginary + j]
    if count > PRICE_SERIES:
        for j in range(NODES):
            u = (first + j) * step
            store(coefficients, SLOPE, j, complex(-u * coefficients[NODES + j], u * coefficients[j]))
            store(
                coefficients, DENSITY, j, complex(weight * coefficients[real + j], weight * coefficients[imaginary + j])
            )
        for series in range(BY_V0, count):
            row = 2 * NODES * series
            for j in range(NODES):
                a, b = coefficients[row + j], coefficients[row + NODES + j]
                c, d = coefficients[j], coefficients[NODES + j]
                coefficients[row + j] = a * c - b * d
                coefficients[row + NODES + j] = a * d + b * c
        if first == 0:
            for series in range(DENSITY, count):
                coefficients[2 * NODES * series] *= 0.5
    if first == 0:
        coefficients[0] = 0.0
    return exponent


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
    passed = np.empty((2 * UNROLLED, sums.shape[1]))
    for node in range(0, NODES, UNROLLED):
        for j in range(sums.shape[1]):
            x, y = waves[0, j], waves[1, j]
            turn_x, turn_y = waves[2, j], waves[3, j]
            for i in range(UNROLLED):
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
                for i in range(UNROLLED):
                    total += coefficients[real + i] * passed[2 * i, j]
                    total -= coefficients[imaginary + i] * passed[2 * i + 1, j]
                sums[series, j] = total


def _integrate(
    law: Law, tolerance: float, reaches: Any, k: Any, count: int, coefficients: Any, sums: Any
) -> tuple[float, float]:
    """Fill the rows of sums, bring k within its reaches; the period L and the exponent at u = 0.

    The period is NaN where the nodes do not suffice.
    """
    lowest, highest = 0.0, 0.0
    for i in range(k.size):
        k[i] = min(max(k[i], -reaches[0]), reaches[1])
        lowest = min(lowest, k[i])
        highest = max(highest, k[i])
    period = max(reaches[1] - lowest, reaches[0] + highest)
    step = 2.0 * math.pi / period
    waves = np.empty((4, k.size))
    sums[:] = 0.0
    zero_exponent = 0.0
    for block in range(MOST_BLOCKS):
        exponent = fill_coefficients(block * NODES, step, law, count, coefficients)
        if block == 0:
            zero_exponent = exponent
        if block % AFRESH == 0:
            set_waves(block * NODES, step, k, waves)
        accumulate(count, coefficients, waves, sums)
        last = 2 * NODES * BATES_SERIES + NODES - 1
        modulus = abs(coefficients[last]) + abs(coefficients[last + NODES])
        if law.jump_intensity > 0.0:
            u = (block * NODES + NODES - 1) * step
            swing = formulas.jump_swing(u, law.jump_intensity, law.jump_mean, law.jump_volatility)
            modulus *= math.exp(min(law.time * swing, _LARGEST_SWING))
        # Greeks weigh phi by up to u^2 against the price.
        if modulus < tolerance * ((block + 1) * NODES * step if count == PRICE_SERIES else 0.1):
            return period, zero_exponent
    return math.nan, zero_exponent


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


store = njit(**INLINE)(_store)
langevin = njit(**INLINE)(_langevin)
exponents = njit(**PLAIN)(_exponents)
fill_coefficients = njit(**PLAIN)(_fill_coefficients)
set_waves = njit(**PLAIN)(_set_waves)
accumulate = njit(**PLAIN)(_accumulate)
integrate = njit(**PLAIN)(_integrate)
time_values = njit(**PLAIN)(_time_values)
