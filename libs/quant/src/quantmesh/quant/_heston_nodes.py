"""The coefficients of the sums: the characteristic function at blocks of nodes, and its derivatives."""

import math
from typing import Any

from numba import njit

from quantmesh.quant import _heston_elementary
from quantmesh.quant import _heston_elementary_kernels as _elementary_kernels  # noqa: F401  lets kernels call them
from quantmesh.quant import _heston_formulas as formulas
from quantmesh.quant._elementary_kernels import INLINE, compile_as
from quantmesh.quant._heston_moments import Law

NODES = 32
# Series over the nodes: the integral, its slope in k, the density, and the integral by v0 and time, which Greeks need;
# then by kappa, theta, sigma and rho, and by the three parameters of the jumps. Coefficients lie in two rows each, real
# and imaginary, and phi last.
PRICE_SERIES, GREEKS_SERIES, HESTON_SERIES, BATES_SERIES = 1, 5, 9, 12
SLOPE, DENSITY, BY_V0, BY_TIME, BY_KAPPA, BY_JUMPS = 1, 2, 3, 4, 5, 9
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
compile_as(formulas.jump_swing, formulas.jump_swing, PLAIN)


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
            store(coefficients, BY_TIME, j, by_time)
            store(coefficients, BY_KAPPA, j, by_kappa)
            store(coefficients, BY_KAPPA + 1, j, by_theta)
            store(coefficients, BY_KAPPA + 2, j, by_sigma)
            store(coefficients, BY_KAPPA + 3, j, by_rho)
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


def _is_last(block: int, step: float, law: Law, count: int, tolerance: float, coefficients: Any) -> bool:
    """Whether what the nodes beyond this block add is below the tolerance."""
    last = 2 * NODES * BATES_SERIES + NODES - 1
    modulus = abs(coefficients[last]) + abs(coefficients[last + NODES])
    if law.jump_intensity > 0.0:
        u = (block * NODES + NODES - 1) * step
        swing = formulas.jump_swing(u, law.jump_intensity, law.jump_mean, law.jump_volatility)
        modulus *= math.exp(min(law.time * swing, _LARGEST_SWING))
    # Greeks weigh phi by up to u^2 against the price.
    within: bool = modulus < tolerance * ((block + 1) * NODES * step if count == PRICE_SERIES else 0.1)
    return within


store = njit(**INLINE)(_store)
exponents = njit(**PLAIN)(_exponents)
fill_coefficients = njit(**PLAIN)(_fill_coefficients)
is_last = njit(**PLAIN)(_is_last)
