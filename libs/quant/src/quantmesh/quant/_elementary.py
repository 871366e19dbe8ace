"""The functions that the formulas are made of, as plain Python over floats.

`_elementary_kernels` compiles the rational functions from this very source and gives `exponential` and
`logarithm_of_ratio` branch-free polynomial twins, since those of the C library do not vectorise.

Mills' ratio M(z) = (1 - Phi(z)) / phi(z) and its slope -M'(z) = 1 - z M(z) share one denominator: a rational fit, made
with 60 digits, whose relative error is below 1.6e-17 for every z >= 0. All coefficients are positive, so that nothing
cancels: the normal distribution keeps its relative accuracy down to the smallest number.
"""

import math

ROOT_TWO_PI = 2.5066282746310002
INVERSE_ROOT_TWO_PI = 0.3989422804014327
# Stands in for zero where a logarithm or a quotient needs a positive number.
TINY = 1e-300
TINY_ROOT = 1e-150


def exponential(x: float) -> float:
    """exp(x); 0 below -708, infinite above 709."""
    if x < -708.0:
        return 0.0
    return math.exp(x) if x < 709.0 else math.inf


def bounded_exponential(x: float) -> float:
    """exp(x) for x between -700 and 700; without a look at the ends, which costs a fifth of it."""
    return math.exp(x)


def logarithm_of_ratio(numerator: float, denominator: float) -> float:
    """ln(numerator / denominator) of positive numbers, without the rounding of the quotient where the two are close."""
    if 0.5 * denominator < numerator < 2.0 * denominator:
        return math.log1p((numerator - denominator) / denominator)
    return math.log(numerator) - math.log(denominator)


def square_root(x: float) -> float:
    return math.sqrt(x)


def mills_ratio(z: float) -> float:
    """(1 - Phi(z)) / phi(z) for z >= 0."""
    return mills_numerator(z) / mills_denominator(z)


def mills_slope(z: float) -> float:
    """1 - z M(z), the slope of Mills' ratio with its sign turned, for z >= 0."""
    return slope_numerator(z) / mills_denominator(z)


def mills_numerator(z: float) -> float:
    p = 2.107072883744535e-07
    p = p * z + 6.5785676503875305e-06
    p = p * z + 0.00010331702203341613
    p = p * z + 0.0010572145057617865
    p = p * z + 0.007749836189261256
    p = p * z + 0.04245871837486436
    p = p * z + 0.17675206074261818
    p = p * z + 0.5582744505290751
    p = p * z + 1.3120163470679786
    p = p * z + 2.191960132624158
    p = p * z + 2.358509844435875
    return p * z + 1.2533141373155003


def slope_numerator(z: float) -> float:
    p = 2.107072883744543e-07
    p = p * z + 6.578567650387081e-06
    p = p * z + 0.000102895607456769
    p = p * z + 0.0010440573704483041
    p = p * z + 0.007545309219071231
    p = p * z + 0.04041007498737093
    p = p * z + 0.16226996822353684
    p = p * z + 0.4834422894210638
    p = p * z + 1.028515075939465
    p = p * z + 1.426389014864316
    return p * z + 1.0


def mills_denominator(z: float) -> float:
    p = 2.107072883744535e-07
    p = p * z + 6.5785676503875305e-06
    p = p * z + 0.00010352772932179058
    p = p * z + 0.0010637930734121734
    p = p * z + 0.007852731796718025
    p = p * z + 0.043502775745312666
    p = p * z + 0.1842973699616894
    p = p * z + 0.5986845255164461
    p = p * z + 1.4742863152915155
    p = p * z + 2.6754024220452215
    p = p * z + 3.3870249203753406
    p = p * z + 2.6797031521798163
    return p * z + 1.0
