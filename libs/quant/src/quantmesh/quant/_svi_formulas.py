"""Raw SVI slices, their derivatives, and what makes them free of arbitrage.

Total variance over log-moneyness `k = ln(strike / forward)` (Gatheral, "A parsimonious arbitrage-free implied
volatility parameterization", 2004) is here `w = a + right (r + z) / 2 + left (r - z) / 2` with `z = k - m` and
`r = sqrt(z^2 + sigma^2)`: `left = b (1 - rho)` and `right = b (1 + rho)` are the slopes of the wings, each between 0
and 2 (Lee, 2004).
A row of parameters is `(a, left, right, m, sigma)`.
"""

from typing import NamedTuple

import numpy as np

from quantmesh.quant._arguments import Floats

PARAMETERS = 5


class Smile(NamedTuple):
    """Total variance and its first two derivatives by log-moneyness."""

    w: Floats
    slope: Floats
    curvature: Floats


def smile(rows: Floats, k: Floats) -> Smile:
    """`rows[..., 5]` broadcasts against `k`."""
    a, left, right, m, sigma = (rows[..., i] for i in range(PARAMETERS))
    z = k - m
    r = np.sqrt(z * z + sigma * sigma)
    b = 0.5 * (left + right)
    tilt = 0.5 * (right - left)
    return Smile(a + b * r + tilt * z, b * z / r + tilt, b * sigma * sigma / (r * r * r))


def smile_gradients(rows: Floats, k: Floats) -> Smile:
    """The derivatives of each part by the five parameters, along a last axis."""
    _, left, right, m, sigma = (rows[..., i] for i in range(PARAMETERS))
    z = k - m
    r = np.sqrt(z * z + sigma * sigma)
    b = 0.5 * (left + right)
    tilt = 0.5 * (right - left)
    ratio = z / r
    bend = sigma * sigma / (r * r * r)
    zero, one = np.zeros_like(r), np.ones_like(r)
    w = [one, 0.5 * (r - z), 0.5 * (r + z), -(b * ratio + tilt), b * sigma / r]
    slope = [zero, 0.5 * (ratio - 1.0), 0.5 * (ratio + 1.0), -b * bend, -b * z * sigma / (r * r * r)]
    curvature = [
        zero,
        0.5 * bend,
        0.5 * bend,
        3.0 * b * bend * z / (r * r),
        b * (2.0 - 3.0 * sigma * sigma / (r * r)) * sigma / (r * r * r),
    ]
    return Smile(np.stack(w, -1), np.stack(slope, -1), np.stack(curvature, -1))


def density_factor(k: Floats, part: Smile) -> Floats:
    """Durrleman's g, of which the risk-neutral density is a positive multiple (Gatheral and Jacquier, 2014)."""
    w, slope, curvature = part
    decline = 1.0 - 0.5 * k * slope / w
    return decline * decline - 0.25 * slope * slope * (1.0 / w + 0.25) + 0.5 * curvature


def density_factor_gradient(k: Floats, part: Smile) -> Smile:
    """The derivatives of g by total variance, slope and curvature."""
    w, slope, _ = part
    decline = 1.0 - 0.5 * k * slope / w
    return Smile(
        decline * k * slope / (w * w) + 0.25 * slope * slope / (w * w),
        -decline * k / w - 0.5 * slope * (1.0 / w + 0.25),
        np.full_like(w, 0.5),
    )


def to_wings(a: Floats, b: Floats, rho: Floats, m: Floats, sigma: Floats) -> Floats:
    return np.stack([a, b * (1.0 - rho), b * (1.0 + rho), m, sigma], -1)


def from_wings(rows: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """a, b, rho, m, sigma; rho is 0 where b is."""
    a, left, right, m, sigma = (rows[..., i] for i in range(PARAMETERS))
    b = 0.5 * (left + right)
    rho = np.where(b > 0.0, (right - left) / np.where(b > 0.0, 2.0 * b, 1.0), 0.0)
    return a, b, rho, m, sigma


def raw_gradients(row: Floats, k: Floats) -> Floats:
    """Total variance by a, b, rho, m and sigma, along a last axis, of one slice in these parameters."""
    _, b, rho, m, sigma = row
    z = k - m
    r = np.sqrt(z * z + sigma * sigma)
    return np.stack([np.ones_like(k), rho * z + r, b * z, -b * (rho + z / r), b * sigma / r], -1)
