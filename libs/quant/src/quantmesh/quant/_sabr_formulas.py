"""The expansions of Hagan, Kumar, Lesniewski and Woodward (2002, "Managing smile risk") over arrays.

Forward and strike are shifted already. z / x(z) is written so that nothing cancels at the money.
"""

from typing import NamedTuple

import numpy as np

from quantmesh.quant._arguments import Floats

# Stands in for zero in a divisor; and how far z may go, whose square is still a double.
TINY = 1e-300
_FARTHEST = 1e100
# Below it the slopes of z / x(z) are their series'.
_SMALL = 1e-5


class Growth(NamedTuple):
    """1 + time (diffusion + mixed + variance): how the volatility departs from its limit at short expiries."""

    value: Floats
    diffusion: Floats
    mixed: Floats
    variance: Floats


class BlackExpansion(NamedTuple):
    """Equation 2.17a in parts: alpha / (level spread) * ratio(z) * growth, level being (f K)^(width / 2)."""

    width: Floats
    log_product: Floats
    moneyness: Floats
    level: Floats
    spread: Floats
    z: Floats
    growth: Growth


class NormalExpansion(NamedTuple):
    """Equation B.67a in parts: alpha * local * ratio(zeta) * growth; `backbone` is (f K)^(beta / 2)."""

    width: Floats
    moneyness: Floats
    absolute: Floats
    backbone: Floats
    local: Floats
    zeta: Floats
    growth: Growth


def black_expansion(
    forward: Floats, strike: Floats, time: Floats, alpha: Floats, beta: Floats, rho: Floats, nu: Floats
) -> BlackExpansion:
    width = 1.0 - beta
    log_product = np.log(forward) + np.log(strike)
    moneyness = _log_ratio(forward, strike)
    level = np.exp(0.5 * width * log_product)
    square = (width * moneyness) ** 2
    spread = 1.0 + square / 24.0 + square * square / 1920.0
    z = np.clip(nu / np.maximum(alpha, TINY) * level * moneyness, -_FARTHEST, _FARTHEST)
    growth = _growth(time, (width * alpha / level) ** 2 / 24.0, alpha / level, beta, rho, nu)
    return BlackExpansion(width, log_product, moneyness, level, spread, z, growth)


def black_volatility(
    forward: Floats, strike: Floats, time: Floats, alpha: Floats, beta: Floats, rho: Floats, nu: Floats
) -> Floats:
    """Equation 2.17a."""
    parts = black_expansion(forward, strike, time, alpha, beta, rho, nu)
    return np.asarray(alpha / (parts.level * parts.spread) * ratio(parts.z, rho) * parts.growth.value)


def black_volatility_and_gradients(
    forward: Floats, strike: Floats, time: Floats, alpha: Floats, beta: Floats, rho: Floats, nu: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Equation 2.17a, and its derivatives by alpha, beta, rho and nu."""
    width, log_product, moneyness, level, spread, z, (growth, diffusion, _, _) = black_expansion(
        forward, strike, time, alpha, beta, rho, nu
    )
    bend, bend_by_z, bend_by_rho = _ratio_and_gradients(z, rho)
    base = alpha / (level * spread)
    slope = alpha / level
    volatility = base * bend * growth

    base_over_alpha = 1.0 / (level * spread)
    by_alpha = base_over_alpha * (bend - z * bend_by_z) * growth + base * bend * time * (
        2.0 * width * width * slope / level / 24.0 + 0.25 * rho * beta * nu / level
    )
    # d ln(level) / d beta
    shrink = -0.5 * log_product
    square = (width * moneyness) ** 2
    spread_by_beta = -moneyness * moneyness * width / 12.0 * (1.0 + square / 40.0)
    by_beta = (
        volatility * (-shrink - spread_by_beta / spread)
        + base * bend_by_z * z * shrink * growth
        + base
        * bend
        * time
        * (
            -2.0 * diffusion * shrink
            - 2.0 * width * slope * slope / 24.0
            + 0.25 * rho * nu * slope * (1.0 - beta * shrink)
        )
    )
    by_rho = base * bend_by_rho * growth + base * bend * time * (0.25 * beta * nu * slope - 0.25 * rho * nu * nu)
    by_nu = base * bend_by_z * level * moneyness / np.maximum(alpha, TINY) * growth + base * bend * time * (
        0.25 * rho * beta * slope + (2.0 - 3.0 * rho * rho) * nu / 12.0
    )
    return volatility, by_alpha, by_beta, by_rho, by_nu


def normal_expansion(
    forward: Floats, strike: Floats, time: Floats, alpha: Floats, beta: Floats, rho: Floats, nu: Floats
) -> NormalExpansion:
    """With beta 0 (`absolute`) forward and strike may have any sign."""
    width = 1.0 - beta
    absolute = beta == 0.0
    safe_forward, safe_strike = np.where(absolute, 1.0, forward), np.where(absolute, 1.0, strike)
    log_product = np.log(safe_forward) + np.log(safe_strike)
    moneyness = _log_ratio(safe_forward, safe_strike)
    level = np.exp(0.5 * width * log_product)
    backbone = np.exp(0.5 * beta * log_product)
    # (f - K) / (integral of dx / x^beta from K to f), and that integral.
    span = level * _sinh_over(0.5 * width * moneyness) * moneyness
    local = backbone * _sinh_over(0.5 * moneyness) / _sinh_over(0.5 * width * moneyness)
    difference = np.where(absolute, forward - strike, local * span)
    zeta = np.clip(nu * difference / np.maximum(alpha * backbone, TINY), -_FARTHEST, _FARTHEST)
    slope = alpha / level
    growth = _growth(time, -beta * (2.0 - beta) * slope * slope / 24.0, slope, beta, rho, nu)
    return NormalExpansion(width, moneyness, absolute, backbone, np.where(absolute, 1.0, local), zeta, growth)


def normal_volatility(
    forward: Floats, strike: Floats, time: Floats, alpha: Floats, beta: Floats, rho: Floats, nu: Floats
) -> Floats:
    """Equation B.67a; with beta 0 forward and strike may have any sign."""
    parts = normal_expansion(forward, strike, time, alpha, beta, rho, nu)
    return np.asarray(alpha * parts.local * ratio(parts.zeta, rho) * parts.growth.value)


def _growth(time: Floats, diffusion: Floats, slope: Floats, beta: Floats, rho: Floats, nu: Floats) -> Growth:
    mixed = 0.25 * rho * beta * nu * slope
    variance = (2.0 - 3.0 * rho * rho) * nu * nu / 24.0
    return Growth(1.0 + time * (diffusion + mixed + variance), diffusion, mixed, variance)


def _log_ratio(forward: Floats, strike: Floats) -> Floats:
    """ln(forward / strike), without the rounding of the quotient where the two are close."""
    difference = (forward - strike) / strike
    return np.where(np.abs(difference) < 0.5, np.log1p(np.maximum(difference, -0.5)), np.log(forward) - np.log(strike))


def _sinh_over(x: Floats) -> Floats:
    """sinh(x) / x."""
    near = np.abs(x) < 1e-4
    safe = np.where(near, 1.0, x)
    return np.where(near, 1.0 + x * x / 6.0, np.sinh(safe) / safe)


def folded(z: Floats, rho: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """|z|, its sign, rho by that sign, and there sqrt(1 - 2 rho z + z^2) and
    x(z) = ln[(sqrt(1 - 2 rho z + z^2) + z - rho) / (1 - rho)].

    x(z; rho) = -x(-z; -rho), which keeps the sum in the logarithm from cancelling.
    """
    side = np.where(z < 0.0, -1.0, 1.0)
    size, turned = np.abs(z), side * rho
    root = np.sqrt((size - turned) ** 2 + 1.0 - turned * turned)
    x = np.log1p(size * (1.0 + (size - 2.0 * turned) / (root + 1.0)) / (1.0 - turned))
    return size, side, turned, root, x


def ratio(z: Floats, rho: Floats) -> Floats:
    """z / x(z)."""
    size, _, _, _, x = folded(z, rho)
    return quotient(size, x)


def quotient(size: Floats, x: Floats) -> Floats:
    """z / x(z) of what `folded` answers."""
    return np.where(size < TINY, 1.0, size / np.where(size < TINY, 1.0, x))


def _ratio_and_gradients(z: Floats, rho: Floats) -> tuple[Floats, Floats, Floats]:
    """z / x(z), and its slopes in z and rho."""
    size, side, turned, root, x = folded(z, rho)
    near = size < _SMALL
    safe = np.where(near, 1.0, x)
    by_z = np.where(near, -0.5 * turned + (2.0 - 3.0 * turned * turned) * size / 6.0, (x - size / root) / safe**2)
    x_by_rho = 1.0 / (1.0 - turned) - (size + root) / (root * (root + size - turned))
    by_rho = np.where(near, -0.5 * size * (1.0 + turned * size), -size * x_by_rho / safe**2)
    return quotient(size, x), side * by_z, side * by_rho
