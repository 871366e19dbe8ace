"""Complex functions that characteristic functions are made of, as plain Python.

`_heston_elementary_kernels` gives each a branch-free twin, since those of the C library do not vectorise.
"""

import cmath
import math

# Stands in for zero in a divisor.
TINY = 1e-100


def quotient(numerator: complex, denominator: complex) -> complex:
    return numerator / denominator


def square_root(z: complex) -> complex:
    """The root in the right half-plane, for z there."""
    return cmath.sqrt(z)


def exponential(z: complex) -> complex:
    if z.real < -708.0:
        return complex(0.0, 0.0)
    return cmath.exp(z)


def half_hyperbolic_tangent(z: complex) -> complex:
    """tanh(z / 2) for 0 <= |Im z| <= Re z, accurate near 0."""
    return cmath.tanh(0.5 * z)


def logarithm_of_one_plus(z: complex) -> complex:
    """ln(1 + z) on the principal branch, accurate near 0."""
    x, y = z.real, z.imag
    return complex(0.5 * math.log1p(2.0 * x + x * x + y * y), math.atan2(y, 1.0 + x))
