"""Numba's view of `_heston_elementary`: importing this module lets kernels call those functions.

Real and imaginary parts are plain arithmetic on lanes of 64 bits, so that LLVM turns a loop over it into vector code.
"""

import math

from numba import njit

from quantmesh.quant import _elementary, _heston_elementary
from quantmesh.quant._elementary_kernels import INLINE, compile_as

# Adding it leaves the nearest integer in the low bits of a double's mantissa.
_ROUNDER = 6755399441055744.0
_TWO_OVER_PI = 0.6366197723675814
_HALF_PI = 1.5707963267948966
# Half of pi in three parts, the first two short enough that their products with a number below 2^20 are exact.
_HALF_PI_HIGH = 1.5707963267341256
_HALF_PI_MIDDLE = 6.077100506303966e-11
_HALF_PI_LOW = 2.0222662487959506e-21
_QUARTER_PI = 0.7853981633974483
_TANGENT_OF_EIGHTH_PI = 0.41421356237309503


def _sine_and_cosine(x: float) -> tuple[float, float]:
    """For |x| below 1e6."""
    quarters = (x * _TWO_OVER_PI + _ROUNDER) - _ROUNDER
    r = ((x - quarters * _HALF_PI_HIGH) - quarters * _HALF_PI_MIDDLE) - quarters * _HALF_PI_LOW
    # Taylor's series on |r| <= pi / 4, remainders 5e-17 and 2e-18.
    s = r * r
    sine = -7.647163731819816e-13
    sine = sine * s + 1.605904383682161e-10
    sine = sine * s - 2.505210838544172e-08
    sine = sine * s + 2.7557319223985893e-06
    sine = sine * s - 0.0001984126984126984
    sine = sine * s + 0.008333333333333333
    sine = sine * s - 0.16666666666666666
    sine = r + (sine * s) * r
    cosine = 4.779477332387385e-14
    cosine = cosine * s - 1.1470745597729725e-11
    cosine = cosine * s + 2.08767569878681e-09
    cosine = cosine * s - 2.755731922398589e-07
    cosine = cosine * s + 2.48015873015873e-05
    cosine = cosine * s - 0.001388888888888889
    cosine = cosine * s + 0.041666666666666664
    cosine = (cosine * s - 0.5) * s + 1.0
    # The quarter, as -2, -1, 0, 1 or 2.
    quarter = quarters - 4.0 * ((0.25 * quarters + _ROUNDER) - _ROUNDER)
    odd = abs(quarter) == 1.0
    sine_sign = -1.0 if (abs(quarter) == 2.0) | (quarter == -1.0) else 1.0
    cosine_sign = -1.0 if (abs(quarter) == 2.0) | (quarter == 1.0) else 1.0
    return sine_sign * (cosine if odd else sine), cosine_sign * (sine if odd else cosine)


def _exponential_less_one(x: float) -> float:
    # Taylor's series on |x| < 0.35, remainder 1e-17 of the first term.
    s = 1.1470745597729725e-11
    s = s * x + 1.6059043836821613e-10
    s = s * x + 2.08767569878681e-09
    s = s * x + 2.505210838544172e-08
    s = s * x + 2.755731922398589e-07
    s = s * x + 2.7557319223985893e-06
    s = s * x + 2.48015873015873e-05
    s = s * x + 0.0001984126984126984
    s = s * x + 0.001388888888888889
    s = s * x + 0.008333333333333333
    s = s * x + 0.041666666666666664
    s = s * x + 0.16666666666666666
    s = s * x + 0.5
    near = x + (s * x) * x
    far = _elementary.exponential(x) - 1.0
    return near if abs(x) < 0.35 else far


def _arctangent(y: float, x: float) -> float:
    """atan2."""
    ay, ax = abs(y), abs(x)
    high, low = max(ax, ay), min(ax, ay)
    beyond = low > _TANGENT_OF_EIGHTH_PI * high
    t = (low - high if beyond else low) / max(high + low if beyond else high, _elementary.TINY)
    # atan(t) / t in powers of t^2 up to tan(pi / 8)^2, interpolated at Chebyshev's points, relative error 3e-18.
    s = t * t
    p = -0.017803896394812564
    p = p * s + 0.03796390316111083
    p = p * s - 0.05035049795312439
    p = p * s + 0.05846866752275139
    p = p * s - 0.06662950246036792
    p = p * s + 0.07692045194561481
    p = p * s - 0.09090896801472813
    p = p * s + 0.11111110744657099
    p = p * s - 0.14285714279244968
    p = p * s + 0.19999999999940837
    p = p * s - 0.3333333333333312
    angle = (t + (p * s) * t) + (_QUARTER_PI if beyond else 0.0)
    angle = _HALF_PI - angle if ay > ax else angle
    angle = 2.0 * _HALF_PI - angle if x < 0.0 else angle
    return -angle if y < 0.0 else angle


sine_and_cosine = njit(**INLINE)(_sine_and_cosine)
exponential_less_one = njit(**INLINE)(_exponential_less_one)
arctangent = njit(**INLINE)(_arctangent)


def _quotient(numerator: complex, denominator: complex) -> complex:
    inverse = 1.0 / (denominator.real * denominator.real + denominator.imag * denominator.imag)
    return complex(
        (numerator.real * denominator.real + numerator.imag * denominator.imag) * inverse,
        (numerator.imag * denominator.real - numerator.real * denominator.imag) * inverse,
    )


def _square_root(z: complex) -> complex:
    size = math.sqrt(z.real * z.real + z.imag * z.imag)
    real = math.sqrt(0.5 * (size + z.real))
    return complex(real, 0.5 * z.imag / max(real, _heston_elementary.TINY))


def _exponential(z: complex) -> complex:
    size = _elementary.exponential(z.real)
    sine, cosine = sine_and_cosine(z.imag)
    return complex(size * cosine, size * sine)


def _half_hyperbolic_tangent(z: complex) -> complex:
    loss = -exponential_less_one(-z.real)
    decay = 1.0 - loss
    sine, cosine = sine_and_cosine(z.imag)
    twice = loss * (1.0 + decay)
    inverse = 1.0 / (2.0 - twice + 2.0 * decay * cosine)
    return complex(twice * inverse, 2.0 * decay * sine * inverse)


def _logarithm_of_one_plus(z: complex) -> complex:
    x, y = z.real, z.imag
    excess = 2.0 * x + x * x + y * y
    square = 1.0 + excess
    # What rounding the sum lost, over the sum, is what its logarithm lacks.
    lost = excess - (square - 1.0)
    logarithm = _elementary.logarithm_of_ratio(square, 1.0) + lost / square
    return complex(0.5 * logarithm, arctangent(y, 1.0 + x))


compile_as(_heston_elementary.quotient, _quotient)
compile_as(_heston_elementary.square_root, _square_root)
compile_as(_heston_elementary.exponential, _exponential)
compile_as(_heston_elementary.half_hyperbolic_tangent, _half_hyperbolic_tangent)
compile_as(_heston_elementary.logarithm_of_one_plus, _logarithm_of_one_plus)
