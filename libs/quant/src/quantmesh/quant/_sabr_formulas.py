"""The expansions of Hagan, Kumar, Lesniewski and Woodward (2002, "Managing smile risk") over arrays.

Forward and strike are shifted already. z / x(z) is written so that nothing cancels at the money.
"""

import numpy as np

from quantmesh.quant._arguments import Floats

# Stands in for zero in a divisor; and how far z may go, whose square is still a double.
_TINY = 1e-300
_FARTHEST = 1e100
# Below it the slopes of z / x(z) are their series'.
_SMALL = 1e-5


def black_volatility_and_gradients(
    forward: Floats, strike: Floats, time: Floats, alpha: Floats, beta: Floats, rho: Floats, nu: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Equation 2.17a, and its derivatives by alpha, beta, rho and nu."""
    width = 1.0 - beta
    log_product = np.log(forward) + np.log(strike)
    moneyness = _log_ratio(forward, strike)
    level = np.exp(0.5 * width * log_product)
    square = (width * moneyness) ** 2
    spread = 1.0 + square / 24.0 + square * square / 1920.0
    safe = np.maximum(alpha, _TINY)
    z = np.clip(nu / safe * level * moneyness, -_FARTHEST, _FARTHEST)
    ratio, ratio_by_z, ratio_by_rho = _ratio_and_gradients(z, rho)
    base = alpha / (level * spread)
    slope = alpha / level
    diffusion, mixed, curvature = (width * slope) ** 2 / 24.0, 0.25 * rho * beta * nu * slope, 2.0 - 3.0 * rho * rho
    growth = 1.0 + time * (diffusion + mixed + curvature * nu * nu / 24.0)
    volatility = base * ratio * growth

    base_over_alpha = 1.0 / (level * spread)
    by_alpha = base_over_alpha * (ratio - z * ratio_by_z) * growth + base * ratio * time * (
        2.0 * width * width * slope / level / 24.0 + 0.25 * rho * beta * nu / level
    )
    # d ln(level) / d beta
    shrink = -0.5 * log_product
    spread_by_beta = -moneyness * moneyness * width / 12.0 * (1.0 + square / 40.0)
    by_beta = (
        volatility * (-shrink - spread_by_beta / spread)
        + base * ratio_by_z * z * shrink * growth
        + base
        * ratio
        * time
        * (
            -2.0 * diffusion * shrink
            - 2.0 * width * slope * slope / 24.0
            + 0.25 * rho * nu * slope * (1.0 - beta * shrink)
        )
    )
    by_rho = base * ratio_by_rho * growth + base * ratio * time * (0.25 * beta * nu * slope - 0.25 * rho * nu * nu)
    by_nu = base * ratio_by_z * level * moneyness / safe * growth + base * ratio * time * (
        0.25 * rho * beta * slope + curvature * nu / 12.0
    )
    return volatility, by_alpha, by_beta, by_rho, by_nu


def normal_volatility(
    forward: Floats, strike: Floats, time: Floats, alpha: Floats, beta: Floats, rho: Floats, nu: Floats
) -> Floats:
    """Equation B.67a; with beta 0 forward and strike may have any sign."""
    width = 1.0 - beta
    absolute = beta == 0.0
    safe_forward, safe_strike = np.where(absolute, 1.0, forward), np.where(absolute, 1.0, strike)
    log_product = np.log(safe_forward) + np.log(safe_strike)
    moneyness = _log_ratio(safe_forward, safe_strike)
    level = np.exp(0.5 * width * log_product)
    # (f - K) / (integral of dx / x^beta from K to f), and that integral.
    span = level * _sinh_over(0.5 * width * moneyness) * moneyness
    local = np.exp(0.5 * beta * log_product) * _sinh_over(0.5 * moneyness) / _sinh_over(0.5 * width * moneyness)
    difference = np.where(absolute, forward - strike, local * span)
    zeta = nu * difference / np.maximum(alpha * np.exp(0.5 * beta * log_product), _TINY)
    ratio, _, _ = _ratio_and_gradients(np.clip(zeta, -_FARTHEST, _FARTHEST), rho)
    slope = alpha / level
    growth = 1.0 + time * (
        -beta * (2.0 - beta) * slope * slope / 24.0
        + 0.25 * rho * beta * nu * slope
        + (2.0 - 3.0 * rho * rho) * nu * nu / 24.0
    )
    return np.asarray(alpha * np.where(absolute, 1.0, local) * ratio * growth)


def _log_ratio(forward: Floats, strike: Floats) -> Floats:
    """ln(forward / strike), without the rounding of the quotient where the two are close."""
    difference = (forward - strike) / strike
    return np.where(np.abs(difference) < 0.5, np.log1p(np.maximum(difference, -0.5)), np.log(forward) - np.log(strike))


def _sinh_over(x: Floats) -> Floats:
    """sinh(x) / x."""
    near = np.abs(x) < 1e-4
    safe = np.where(near, 1.0, x)
    return np.where(near, 1.0 + x * x / 6.0, np.sinh(safe) / safe)


def _ratio_and_gradients(z: Floats, rho: Floats) -> tuple[Floats, Floats, Floats]:
    """z / x(z), x(z) = ln[(sqrt(1 - 2 rho z + z^2) + z - rho) / (1 - rho)], and its slopes in z and rho.

    x(z; rho) = -x(-z; -rho), which keeps the sum in the logarithm from cancelling.
    """
    side = np.where(z < 0.0, -1.0, 1.0)
    size, turned = np.abs(z), side * rho
    root = np.sqrt((size - turned) ** 2 + 1.0 - turned * turned)
    x = np.log1p(size * (1.0 + (size - 2.0 * turned) / (root + 1.0)) / (1.0 - turned))
    near = size < _SMALL
    safe = np.where(near, 1.0, x)
    ratio = np.where(size < _TINY, 1.0, size / np.where(size < _TINY, 1.0, x))
    by_z = np.where(near, -0.5 * turned + (2.0 - 3.0 * turned * turned) * size / 6.0, (x - size / root) / safe**2)
    x_by_rho = 1.0 / (1.0 - turned) - (size + root) / (root * (root + size - turned))
    by_rho = np.where(near, -0.5 * size * (1.0 + turned * size), -size * x_by_rho / safe**2)
    return ratio, side * by_z, side * by_rho
