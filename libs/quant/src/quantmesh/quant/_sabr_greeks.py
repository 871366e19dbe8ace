"""How SABR's implied volatilities move with forward, time and alpha, in closed form.

Both expansions are products; the derivatives by ln(forward) of their factors' logarithms add up.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from quantmesh.quant import _sabr_formulas as formulas
from quantmesh.quant._arguments import Floats
from quantmesh.quant._sabr_formulas import TINY, Growth

# Where z / x(z) is its series, whose terms go down by that factor; and where a hyperbolic cotangent is.
_NEAR = 0.02
_TERMS = 8
_NEAR_COTANGENT = 0.05


class Moves(NamedTuple):
    """An implied volatility and its derivatives."""

    volatility: Floats
    by_forward: Floats
    by_forward_twice: Floats
    by_time: Floats
    by_alpha: Floats


@dataclass(frozen=True, slots=True)
class _Slopes:
    """First and second derivative of a logarithm."""

    first: Floats
    second: Floats

    def __add__(self, other: "_Slopes") -> "_Slopes":
        return _Slopes(self.first + other.first, self.second + other.second)


def black_moves(
    forward: Floats, strike: Floats, time: Floats, alpha: Floats, beta: Floats, rho: Floats, nu: Floats
) -> Moves:
    """Of equation 2.17a."""
    parts = formulas.black_expansion(forward, strike, time, alpha, beta, rho, nu)
    width, moneyness = parts.width, parts.moneyness
    bend, bend_by_z, bend_by_z_twice = _ratio_and_slopes(parts.z, rho)
    # z is nu / alpha times level times moneyness.
    steepness = nu / np.maximum(alpha, TINY) * parts.level
    z_slope = steepness * (1.0 + 0.5 * width * moneyness)
    z_curve = steepness * (width + 0.25 * width * width * moneyness)
    scaled = width * width * moneyness
    spread_slope = scaled / 12.0 + scaled * (width * moneyness) ** 2 / 480.0
    spread_curve = width * width / 12.0 + scaled * scaled / 160.0
    spread = _of_logarithm(parts.spread, spread_slope, spread_curve)
    logarithm = (
        _Slopes(-0.5 * width - spread.first, -spread.second)
        + _of_logarithm(bend, bend_by_z * z_slope, bend_by_z_twice * z_slope**2 + bend_by_z * z_curve)
        + _of_growth(parts.growth, width, time)
    )
    base = 1.0 / (parts.level * parts.spread)
    return _moves(base, bend, bend - parts.z * bend_by_z, parts.growth, alpha, time, logarithm, forward, 1.0)


def normal_moves(
    forward: Floats, strike: Floats, time: Floats, alpha: Floats, beta: Floats, rho: Floats, nu: Floats
) -> Moves:
    """Of equation B.67a; with beta 0 the derivatives are by the forward itself, whose logarithm need not be there."""
    parts = formulas.normal_expansion(forward, strike, time, alpha, beta, rho, nu)
    width, absolute = parts.width, parts.absolute
    bend, bend_by_z, bend_by_z_twice = _ratio_and_slopes(parts.zeta, rho)
    # zeta is nu / alpha times the difference of forward and strike over the backbone.
    steepness = nu / np.maximum(alpha * parts.backbone, TINY) * np.where(absolute, 1.0, forward)
    zeta_slope = steepness - 0.5 * beta * parts.zeta
    zeta_curve = np.where(absolute, 0.0, steepness * (1.0 - 0.5 * beta) - 0.5 * beta * zeta_slope)
    near, far = _langevin(0.5 * parts.moneyness), _langevin(0.5 * width * parts.moneyness)
    local = _Slopes(0.5 * (beta + near.first - width * far.first), 0.25 * (near.second - width * width * far.second))
    flat = _Slopes(np.where(absolute, 0.0, local.first), np.where(absolute, 0.0, local.second))
    logarithm = (
        flat
        + _of_logarithm(bend, bend_by_z * zeta_slope, bend_by_z_twice * zeta_slope**2 + bend_by_z * zeta_curve)
        + _of_growth(parts.growth, width, time)
    )
    unit = np.where(absolute, 0.0, 1.0)
    scale = np.where(absolute, 1.0, forward)
    return _moves(parts.local, bend, bend - parts.zeta * bend_by_z, parts.growth, alpha, time, logarithm, scale, unit)


def _moves(
    base: Floats,
    bend: Floats,
    bend_by_alpha: Floats,
    growth: Growth,
    alpha: Floats,
    time: Floats,
    logarithm: _Slopes,
    scale: Floats,
    unit: Floats | float,
) -> Moves:
    """Of alpha base bend growth, whose logarithm is given by ln(scale) where `unit` is 1 and by the forward where 0."""
    volatility = alpha * base * bend * growth.value
    first, second = logarithm.first, logarithm.second
    return Moves(
        volatility,
        volatility * first / scale,
        volatility * (first * first + second - unit * first) / scale**2,
        alpha * base * bend * (growth.diffusion + growth.mixed + growth.variance),
        base * (bend_by_alpha * growth.value + bend * time * (2.0 * growth.diffusion + growth.mixed)),
    )


def _of_logarithm(value: Floats, slope: Floats, curve: Floats) -> _Slopes:
    first = slope / value
    return _Slopes(first, curve / value - first * first)


def _of_growth(growth: Growth, width: Floats, time: Floats) -> _Slopes:
    """The diffusive part goes as the forward to minus the width, the mixed one as the root of that."""
    slope = -time * width * (growth.diffusion + 0.5 * growth.mixed)
    curve = time * width * width * (growth.diffusion + 0.25 * growth.mixed)
    return _of_logarithm(growth.value, slope, curve)


def _ratio_and_slopes(z: Floats, rho: Floats) -> tuple[Floats, Floats, Floats]:
    """z / x(z) and its first two derivatives.

    dx/dz = 1 / sqrt(1 - 2 rho z + z^2) is the generating function of Legendre's polynomials, so that x(z) / z near 0 is
    the sum of P_n(rho) z^n / (n + 1).
    """
    size, side, turned, root, x = formulas.folded(z, rho)
    near = size < _NEAR
    small = np.where(near, size, 0.0)
    before, polynomial = np.ones_like(small), turned
    whole, slope, curve = np.ones_like(small), np.zeros_like(small), np.zeros_like(small)
    for n in range(1, _TERMS + 1):
        term = polynomial * small ** max(n - 2, 0) / (n + 1.0)
        curve += n * (n - 1.0) * term
        term = term if n == 1 else term * small
        slope += n * term
        whole += term * small
        before, polynomial = polynomial, ((2.0 * n + 1.0) * turned * polynomial - n * before) / (n + 1.0)
    near_slope = -slope / whole**2
    near_curve = -curve / whole**2 + 2.0 * slope**2 / whole**3
    safe, safe_root = np.where(near, 1.0, x), np.where(near, 1.0, root)
    gap = (safe - size / safe_root) / safe**2
    far_curve = size * (size - turned) / (safe_root**3 * safe**2) - 2.0 * gap / (safe * safe_root)
    return (
        formulas.quotient(size, x),
        side * np.where(near, near_slope, gap),
        np.where(near, near_curve, far_curve),
    )


def _langevin(x: Floats) -> _Slopes:
    """coth(x) - 1 / x, the derivative of ln(sinh(x) / x), and its own."""
    near = np.abs(x) < _NEAR_COTANGENT
    # Beyond, both are those of infinity, and sinh would overflow.
    safe = np.where(near, 1.0, np.clip(x, -300.0, 300.0))
    square = x * x
    first = np.where(
        near, x / 3.0 * (1.0 - square / 15.0 * (1.0 - square * 2.0 / 21.0)), 1.0 / np.tanh(safe) - 1.0 / safe
    )
    second = np.where(
        near, (1.0 - square / 5.0 * (1.0 - square * 10.0 / 63.0)) / 3.0, 1.0 / safe**2 - 1.0 / np.sinh(safe) ** 2
    )
    return _Slopes(first, second)
