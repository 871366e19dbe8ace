"""The characteristic function of Heston's model with Merton's jumps, as plain Python: the source of the kernels.

Everything is about X = ln(S_T / F), the logarithm of the terminal spot over the forward, in

    dS / S = (r - q - m) dt + sqrt(v) dW + (e^J - 1) dN,   dv = kappa (theta - v) dt + sigma sqrt(v) dZ,

dW dZ = rho dt, N of `jump_intensity` a year, J normal with `jump_mean` and `jump_volatility`, m the mean growth that
jumps bring (Heston 1993, Bates 1996).
On the line of Lewis (2001) the exponent ln E[e^{(1/2 + iu) X}] is C + v0 D, and with

    alpha = u^2 + 1/4,  beta = kappa - rho sigma (1/2 + iu),  d = sqrt(beta^2 + sigma^2 alpha),  t = tanh(d T / 2),

D = -alpha (t/d) / (1 + beta t/d). d lies between the diagonals of the right half-plane, so that t has no pole, the
logarithm in C keeps to its principal branch (the "little trap" of Albrecher, Mayer, Schoutens and Tistaert 2007), and
nothing cancels when sigma, T or u fall to zero. Gradients are those of Cui, del Bano Rollin and Germano (2017, section
3), differentiated here in beta and in sigma^2 at fixed beta, where they have the same stable form.
"""

import math

from quantmesh.quant._heston_elementary import (
    TINY,
    exponential,
    half_hyperbolic_tangent,
    logarithm_of_one_plus,
    quotient,
    square_root,
)

# Below it sigma^2 is as good as zero: what divides by it has long reached its limit.
_SMALLEST_SQUARE = 1e-200
# Below it a power series takes over from a quotient of differences.
_SMALL = 0.02


def exponent(u: float, time: float, v0: float, kappa: float, theta: float, sigma: float, rho: float) -> complex:
    """ln E[exp((1/2 + iu) X)] without jumps."""
    square = sigma * sigma
    alpha = u * u + 0.25
    center = kappa - 0.5 * rho * sigma
    slope = rho * sigma * u
    beta = complex(center, -slope)
    d = square_root(complex(center * center + square * (0.25 + (1.0 - rho * rho) * u * u), -2.0 * center * slope))
    d = complex(max(d.real, TINY), d.imag)
    t = half_hyperbolic_tangent(time * d)
    ratio = quotient(t, d)
    level = quotient(complex(-alpha, 0.0) * ratio, 1.0 + beta * ratio)
    gamma = quotient(complex(alpha, 0.0), beta + d)
    x = quotient(ratio * gamma, 1.0 + t)
    c = max(square, _SMALLEST_SQUARE)
    drift = -time * gamma - (2.0 / c) * logarithm_of_one_plus(-c * x)
    return kappa * theta * drift + v0 * level


def exponent_and_gradients(
    u: float, time: float, v0: float, kappa: float, theta: float, sigma: float, rho: float
) -> tuple[complex, complex, complex, complex, complex, complex, complex]:
    """The exponent and its derivatives by v0, kappa, theta, sigma, rho and time."""
    square = sigma * sigma
    alpha = u * u + 0.25
    center = kappa - 0.5 * rho * sigma
    slope = rho * sigma * u
    beta = complex(center, -slope)
    m = complex(center * center + square * (0.25 + (1.0 - rho * rho) * u * u), -2.0 * center * slope)
    d = square_root(m)
    d = complex(max(d.real, TINY), d.imag)
    t = half_hyperbolic_tangent(time * d)
    ratio = quotient(t, d)
    denominator = quotient(complex(1.0, 0.0), 1.0 + beta * ratio)
    level = -alpha * ratio * denominator
    gamma = quotient(complex(alpha, 0.0), beta + d)
    inverse = quotient(complex(1.0, 0.0), 1.0 + t)
    x = ratio * gamma * inverse
    c = max(square, _SMALLEST_SQUARE)
    logarithm = logarithm_of_one_plus(-c * x)
    drift = -time * gamma - (2.0 / c) * logarithm

    # By m = d^2, which carries all that beta and sigma^2 do to d.
    ratio_by_m = 0.125 * time * time * time * ratio_slope(0.25 * time * time * m, (2.0 / time) * ratio)
    inverse_d = quotient(complex(1.0, 0.0), d)
    t_by_m = 0.25 * time * (1.0 - t * t) * inverse_d
    x_by_m = (ratio_by_m * gamma - x * t_by_m) * inverse
    gamma_by_beta = -gamma * inverse_d
    gamma_by_square = 0.5 * gamma * gamma_by_beta
    inside = quotient(complex(2.0, 0.0), 1.0 - c * x)
    drift_by_beta = -time * gamma_by_beta + inside * (2.0 * beta * x_by_m + ratio * gamma_by_beta * inverse)
    drift_by_square = (
        -time * gamma_by_square
        + inside * (alpha * x_by_m + ratio * gamma_by_square * inverse)
        + 2.0 * x * x * logarithm_excess(c * x, logarithm)
    )
    level_by_beta = alpha * (ratio * ratio - 2.0 * beta * ratio_by_m) * denominator * denominator
    level_by_square = -alpha * alpha * ratio_by_m * denominator * denominator

    pull = kappa * theta
    by_beta = pull * drift_by_beta + v0 * level_by_beta
    by_square = pull * drift_by_square + v0 * level_by_square
    tilt = complex(0.5, u)
    return (
        pull * drift + v0 * level,
        level,
        theta * drift + by_beta,
        kappa * drift,
        2.0 * sigma * by_square - rho * tilt * by_beta,
        -sigma * tilt * by_beta,
        pull * level + v0 * (-0.5 * alpha - beta * level + 0.5 * square * level * level),
    )


def ratio_slope(w: complex, f: complex) -> complex:
    """The slope of f = tanh(sqrt(w)) / sqrt(w) by w."""
    near = w.real * w.real + w.imag * w.imag < _SMALL * _SMALL
    series = complex(-0.010190840709359227, 0.0)
    series = series * w + 0.021552768219434887
    series = series * w - 0.044316177649510985
    series = series * w + 0.08747795414462082
    series = series * w - 0.16190476190476191
    series = series * w + 0.26666666666666666
    series = series * w - 0.3333333333333333
    direct = quotient(1.0 - f - w * f * f, 2.0 * (complex(0.5, 0.0) if near else w))
    return series if near else direct


def logarithm_excess(y: complex, logarithm: complex) -> complex:
    """(1 / (1 - y) + ln(1 - y) / y) / y, where `logarithm` is ln(1 - y)."""
    near = y.real * y.real + y.imag * y.imag < _SMALL * _SMALL
    series = complex(0.8888888888888888, 0.0)
    series = series * y + 0.875
    series = series * y + 0.8571428571428571
    series = series * y + 0.8333333333333334
    series = series * y + 0.8
    series = series * y + 0.75
    series = series * y + 0.6666666666666666
    series = series * y + 0.5
    other = complex(0.5, 0.0) if near else y
    direct = quotient(quotient(complex(1.0, 0.0), 1.0 - other) + quotient(logarithm, other), other)
    return series if near else direct


def jump_exponent_and_gradients(
    u: float, intensity: float, mean: float, volatility: float
) -> tuple[complex, complex, complex, complex]:
    """What jumps add to the exponent in a year, and its derivatives by intensity, mean and volatility."""
    tilt = complex(0.5, u)
    variance = volatility * volatility
    transform = exponential(mean * tilt + 0.5 * variance * tilt * tilt)
    growth = exponential(complex(mean + 0.5 * variance, 0.0))
    by_intensity = transform - 1.0 - (growth - 1.0) * tilt
    by_mean = intensity * tilt * (transform - growth)
    by_volatility = intensity * volatility * tilt * (tilt * transform - growth)
    return intensity * by_intensity, by_intensity, by_mean, by_volatility


def jump_swing(u: float, intensity: float, mean: float, volatility: float) -> float:
    """By how much what jumps add to the exponent's real part in a year may yet rise beyond u, where it swings."""
    variance = volatility * volatility
    size = intensity * math.exp(0.5 * mean + 0.5 * variance * (0.25 - u * u))
    return size * (1.0 - math.cos(u * (mean + 0.5 * variance)))
