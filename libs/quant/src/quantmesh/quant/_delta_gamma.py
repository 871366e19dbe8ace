"""Value at risk of a quadratic profit of normal returns, exact up to a quadrature that converges exponentially.

The loss is L = -(theta + d' r + r' G r / 2) with r ~ N(0, C). With M its moment generating function (Glasserman, Monte
Carlo Methods in Financial Engineering, 9.2.2) and any tau > 0 where M is finite,

    P(L > x)      = 1 / (2 pi i)  integral of  M(t) exp(-t x) / t  dt
    E[L; L > x]   = 1 / (2 pi i)  integral of  K'(t) M(t) exp(-t x) / t  dt,    K = ln M,

along a line through tau (Martin, Thompson and Browne, Taking to the saddle, 2001). Here the line is a branch of a
hyperbola: M's branch points lie on the real axis, so that the ends may lean by 30 degrees to the side where the
integrand falls exponentially, with normal factors falling too. A position's contribution puts its own mean loss under
the complex tilt of t in the place of K'.

Losses count from `Quadratic.origin`: near the largest one that there is they differ from it by less than a double of
their size can tell, and K(t) less t times that loss has a form in which nothing cancels.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant._market_factors import covariance_root
from quantmesh.quant._samples import Floats
from quantmesh.quant._tail import ValueAtRisk
from quantmesh.quant.errors import SolverError

Complexes = NDArray[np.complex128]

_COORDINATE = np.linspace(0.0, 11.0, 551)
_LEAN = math.tan(math.radians(30.0))
_BISECTIONS = 200
_NEWTON_STEPS = 100
_TOLERANCE = 1e-13
_ROUNDING = 1e-13
_LARGEST_EXPONENT = 600.0
# Deviations from the mean that no quantile is beyond.
_NEAR = 20.0


@dataclass(frozen=True, slots=True)
class Quadratic:
    """L + theta = slopes' y + curvatures' y^2 with independent standard normal y; returns are `directions` y."""

    slopes: Floats
    curvatures: Floats
    directions: Floats

    @classmethod
    def of(cls, covariance: Floats, exposures: Floats, gammas: Floats) -> Self:
        root = covariance_root(covariance)
        curvatures, rotation = np.linalg.eigh(-0.5 * root.T @ gammas @ root)
        directions = root @ rotation
        slopes = -(directions.T @ exposures)
        # What is rounding alone would give the loss another end.
        curvatures[np.abs(curvatures) < _ROUNDING * np.abs(curvatures).max()] = 0.0
        slopes[np.abs(slopes) < _ROUNDING * math.hypot(np.abs(slopes).max(), np.abs(curvatures).max())] = 0.0
        return cls(slopes, curvatures, directions)

    @property
    def mean(self) -> float:
        return float(self.curvatures.sum())

    @property
    def deviation(self) -> float:
        return math.sqrt(float((2.0 * self.curvatures**2 + self.slopes**2).sum()))

    @property
    def bound(self) -> float:
        """The largest loss there is: finite where every direction curves down, or has no slope."""
        if np.any((self.curvatures > 0.0) | ((self.curvatures == 0.0) & (self.slopes != 0.0))):
            return math.inf
        return float(self.depths.sum())

    @property
    def has_end(self) -> bool:
        """Whether a quantile may lie at the largest loss."""
        return self.bound - self.mean <= _NEAR * self.deviation

    @property
    def origin(self) -> float:
        """What losses count from: the largest, where one is near."""
        return self.bound if self.has_end else 0.0

    @property
    def depths(self) -> Floats:
        """Of directions that curve down: what their slopes add to the largest loss."""
        curved = self.curvatures < 0.0
        depths: Floats = np.where(curved, -(self.slopes**2) / np.where(curved, 4.0 * self.curvatures, 1.0), 0.0)
        return depths

    def exponent(self, t: Complexes) -> Complexes:
        """K(t) from the origin, for each t."""
        rest = 1.0 - 2.0 * np.outer(t, self.curvatures)
        exponent: Complexes = -0.5 * np.log(rest).sum(axis=1)
        if self.has_end:
            exponent -= t * (self.depths / rest).sum(axis=1)
        else:
            exponent += 0.5 * t**2 * (self.slopes**2 / rest).sum(axis=1)
        return exponent

    def tilted_mean(self, t: float) -> float:
        """K'(t) from the origin."""
        rest = 1.0 - 2.0 * t * self.curvatures
        if self.has_end:
            return float((self.curvatures / rest - self.depths / rest**2).sum())
        return float((self.curvatures / rest + self.slopes**2 * t * (1.0 - t * self.curvatures) / rest**2).sum())

    def tilted_variance(self, t: float) -> float:
        """K''(t)."""
        rest = 1.0 - 2.0 * t * self.curvatures
        return float((2.0 * (self.curvatures / rest) ** 2 + self.slopes**2 / rest**3).sum())

    def saddlepoint(self, x: float) -> float:
        """The t > 0 with K'(t) = x, both from the origin, and not so small that the pole at 0 is felt."""
        steepest = float(self.curvatures.max())
        end = 0.5 / steepest if steepest > 0.0 else math.inf
        low = min(0.5 / self.deviation, 0.5 * end)
        if self.tilted_mean(low) >= x:
            return low
        high = low
        for _ in range(_BISECTIONS):
            high = 0.5 * (high + end) if end < math.inf else 2.0 * high
            if self.tilted_mean(high) >= x:
                break
            low = high
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.tilted_mean(middle) < x else (low, middle)
            if high - low <= 1e-3 * low:
                break
        return low


@dataclass(frozen=True, slots=True)
class Contour:
    """Nodes t from the real axis upwards, and weights such that an integral over M(t) exp(-t x) g(t) / (2 pi i) is the
    sum of the real parts of weights times g; x is from the origin."""

    nodes: Complexes
    weights: Complexes

    @classmethod
    def through(cls, loss: Quadratic, x: float) -> Self:
        tau = loss.saddlepoint(x)
        scale = 1.0 / math.sqrt(loss.tilted_variance(tau))
        step = _COORDINATE[1] - _COORDINATE[0]
        lines: list[tuple[bool, float, Self]] = []
        for lean in (0.0, _LEAN, -_LEAN):
            nodes = tau + scale * (1j * np.sinh(_COORDINATE) + lean * (np.cosh(_COORDINATE) - 1.0))
            speeds = scale * (1j * np.cosh(_COORDINATE) + lean * np.sinh(_COORDINATE))
            exponent = loss.exponent(nodes) - nodes * x
            if float(exponent.real.max()) > _LARGEST_EXPONENT:
                continue
            weights = np.exp(exponent) * speeds * (step / (1j * math.pi))
            weights[0] *= 0.5
            sizes = np.abs(weights)
            lines.append((bool(sizes[-1] > _TOLERANCE * sizes.max()), float(sizes.sum()), cls(nodes, weights)))
        if not lines:
            raise SolverError("delta-gamma inversion", f"overflow at a loss of {x:g}")
        # One that has fallen at its end; then the least absolute sum, which loses the least to cancellation.
        return min(lines, key=lambda line: line[:2])[2]

    def integral(self, values: Complexes | float) -> float:
        return float((self.weights * values).real.sum())


def delta_gamma(
    covariance: Floats, exposures: Floats, gammas: Floats, thetas: Floats, confidence: float
) -> ValueAtRisk:
    """All of the horizon. Contributions are by the size of an asset's exposure, gammas and theta together; a gamma
    between two assets counts half with each. The marginal figure is by the exposure alone.
    """
    loss = Quadratic.of(covariance, exposures, gammas)
    count = exposures.size
    beyond = quantile(loss, confidence)
    random_part = loss.origin + beyond
    value = random_part - float(thetas.sum())
    incremental = np.empty(count)
    for asset in range(count):
        kept = np.arange(count) != asset
        rest = Quadratic.of(covariance, exposures * kept, gammas * np.outer(kept, kept))
        incremental[asset] = random_part - rest.origin - quantile(rest, confidence) - thetas[asset]
    if loss.deviation == 0.0:
        return ValueAtRisk(value, value, -thetas, -thetas, np.zeros(count), incremental)
    contour = Contour.through(loss, beyond)
    rest_of = 1.0 / (1.0 - 2.0 * np.outer(contour.nodes, loss.curvatures))
    means = (contour.nodes[:, None] * loss.slopes * rest_of) @ loss.directions.T
    curved = gammas @ loss.directions
    spreads = rest_of @ (loss.directions * curved).T
    losses = -exposures * means - 0.5 * (means * (means @ gammas) + spreads)
    density = contour.integral(1.0)
    contributions = (contour.weights @ losses).real / density - thetas
    tail = contour.weights / contour.nodes
    # Near a largest loss the probability changes by much more than the quantile does.
    shortfall_contributions = (tail @ losses).real / contour.integral(1.0 / contour.nodes) - thetas
    return ValueAtRisk(
        value=value,
        expected_shortfall=float(shortfall_contributions.sum()),
        contributions=contributions,
        shortfall_contributions=shortfall_contributions,
        marginal=-(contour.weights @ means).real / density,
        incremental=incremental,
    )


def quantile(loss: Quadratic, confidence: float) -> float:
    """The loss beside theta, from the origin, that is exceeded with probability 1 - confidence.

    Newton's method on the logarithm of the probability, within a shrinking bracket.
    """
    deviation = loss.deviation
    if deviation == 0.0:
        return 0.0
    from scipy.special import ndtri

    bound = loss.bound - loss.origin
    x = loss.mean - loss.origin + float(ndtri(confidence)) * deviation
    if x >= bound:
        x = 0.5 * (loss.mean - loss.origin)
    low, high = -math.inf, bound
    for _ in range(_NEWTON_STEPS):
        contour = Contour.through(loss, x)
        probability, density = contour.integral(1.0 / contour.nodes), contour.integral(1.0)
        low, high = (x, high) if probability > 1.0 - confidence else (low, x)
        if probability > 0.0 and density > 0.0:
            step = (math.log(probability) - math.log(1.0 - confidence)) * probability / density
            if abs(step) <= _TOLERANCE * deviation:
                return x + step if x + step < bound else x
        else:
            step = deviation if low == x else -deviation
        following = x + min(max(step, -deviation), deviation)
        x = following if low < following < high else 0.5 * (low + high)
    raise SolverError("delta-gamma quantile", f"no convergence at {x:g}")
