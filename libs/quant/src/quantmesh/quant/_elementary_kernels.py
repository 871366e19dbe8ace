"""Numba's view of `_elementary`: importing this module lets kernels call those functions.

Everything here is branch-free arithmetic on lanes of 64 bits, so that LLVM turns a loop over it into vector code.
"""

import math
from collections.abc import Callable
from typing import Any

# llvmlite ships no type information.
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from quantmesh.quant import _elementary

# For sums that are indices: a signed one might be negative, and looking at that keeps a loop from being vector code.
unsigned: Any = types.uint64
INLINE: Any = {"error_model": "numpy", "fastmath": {"contract"}, "forceinline": True}

# Adding it leaves the nearest integer in the low bits of a double's mantissa.
_ROUNDER = 6755399441055744.0
_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.693147180369123816490
_LN2_LOW = 1.90821492927058770002e-10
# Adds 2048 to the exponent field, and a half for rounding to the nearest.
_EXPONENT_BIAS = (2048 << 52) + (1 << 51)
_TWO_TO_52_BITS = 0x4330000000000000


def _as_bits(_typing_context: Any, _value: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


def _as_double(_typing_context: Any, _pattern: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


def _shift_out_mantissa(_typing_context: Any, _pattern: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.lshr(arguments[0], ir.Constant(ir.IntType(64), 52))

    return types.int64(types.int64), generate


# The 64 bits of a double as an integer, the way back, and bits 52 to 63 as a small positive integer.
bits_of: Any = intrinsic(_as_bits)
double_of: Any = intrinsic(_as_double)
high_bits_of: Any = intrinsic(_shift_out_mantissa)


def _square_root(x: float) -> float:
    return math.sqrt(x)


def _bounded_exponential(x: float) -> float:
    rounded = x * _LOG2_E + _ROUNDER
    whole = rounded - _ROUNDER
    r = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    # Near-minimax in s on |r| <= ln(2) / 2, remainder 2e-17; odd and even terms side by side.
    s = r * r
    even = 2.7620088445409746e-07
    even = even * s + 2.4801521295954376e-05
    even = even * s + 0.0013888888917213717
    even = even * s + 0.04166666666662413
    even = even * s + 0.5000000000000001
    odd = 2.510038549551032e-08
    odd = odd * s + 2.7557268459997064e-06
    odd = odd * s + 0.00019841269863053618
    odd = odd * s + 0.008333333333330062
    odd = odd * s + 0.16666666666666669
    value = ((odd * s) * r + even * s) + r + 1.0
    power: float = double_of((bits_of(rounded) + 1023) << 52)
    return value * power


def _exponential(x: float) -> float:
    value: float = _elementary.bounded_exponential(max(min(x, 709.0), -708.0))
    return 0.0 if x < -708.0 else (math.inf if x >= 709.0 else value)


def _logarithm_of_ratio(numerator: float, denominator: float) -> float:
    # The difference of the bit patterns is log2 of the ratio in fixed point, to within 0.09; biased to stay positive.
    biased = high_bits_of(bits_of(numerator) - bits_of(denominator) + _EXPONENT_BIAS)
    exponent = min(max(biased - 2048, -1000), 1000)
    scaled = denominator * double_of((exponent + 1023) << 52)
    f = (numerator - scaled) / (numerator + scaled)
    # 2 artanh(f) on |f| < 0.201, near-minimax in s, remainder 1e-18 of the first term.
    s = f * f
    series = 0.1362413749288844
    series = series * s + 0.13207733413702563
    series = series * s + 0.153889686105186
    series = series * s + 0.18181735092866372
    series = series * s + 0.2222222308075949
    series = series * s + 0.2857142856708055
    series = series * s + 0.4000000000000838
    series = series * s + 0.6666666666666666
    whole: float = double_of((exponent + 2048) | _TWO_TO_52_BITS) - (4503599627370496.0 + 2048.0)
    logarithm: float = (whole * _LN2_LOW + (series * s * f + 2.0 * f)) + whole * _LN2_HIGH
    return logarithm


def compile_as(function: Callable[..., Any], source: Callable[..., Any], options: Any = INLINE) -> None:
    """Where a kernel calls `function`, compile `source`."""
    overload(function, jit_options=options, strict=False)(lambda *_arguments: source)


compile_as(_elementary.bounded_exponential, _bounded_exponential)
compile_as(_elementary.exponential, _exponential)
compile_as(_elementary.logarithm_of_ratio, _logarithm_of_ratio)
compile_as(_elementary.square_root, _square_root)
for _function in (
    _elementary.mills_numerator,
    _elementary.slope_numerator,
    _elementary.mills_denominator,
    _elementary.mills_ratio,
    _elementary.mills_slope,
):
    compile_as(_function, _function)
