"""The normal distribution for sums of prices, where errors count in money: absolute accuracy at two thirds of the work.

Mills' ratio is a rational fit, made with 60 digits, whose error times the normal density is below 3e-17 everywhere: a
price is as accurate as that of `black_scholes` in units of the spot, but not in units of itself far out of the money.
"""

from quantmesh.quant._elementary import INVERSE_ROOT_TWO_PI, bounded_exponential


def density(d: float) -> float:
    """Of the standard normal distribution; below 1e-307 that instead."""
    return INVERSE_ROOT_TWO_PI * bounded_exponential(max(-0.5 * d * d, -708.0))


def tail_ratio(d: float) -> float:
    """The normal tail beyond |d| over the density there."""
    z = abs(d)
    p = 0.000200683867454617372
    p = p * z + 0.00398603787137181897
    p = p * z + 0.0362761021415206447
    p = p * z + 0.193010192513420449
    p = p * z + 0.63788941912985962
    p = p * z + 1.25902896393869714
    p = p * z + 1.25331413731550031
    q = 0.000200680180275661694
    q = q * z + 0.00398619042889239506
    q = q * z + 0.0364736830970780451
    q = q * z + 0.197037524222714558
    q = q * z + 0.673361643801698011
    q = q * z + 1.44710462381724084
    q = q * z + 1.80244433273318986
    q = q * z + 1.0
    return p / q
