"""How far the distribution of the terminal spot reaches, from its moments; plain Python, compiled by the kernels."""

import math
from typing import NamedTuple

# Below it the volatility of variance changes no moment that matters.
_SMALLEST_SIGMA = 1e-5
# Of e, in a jump's moment; and of the spot, in a moment worth looking at.
_LARGEST_EXPONENT = 600.0
_LARGEST_POWER = 1e100
# How far parameters may go.
LARGEST_VARIANCE = 1e4
LARGEST_SPEED = 1e4
LARGEST_JUMP = 10.0


class Law(NamedTuple):
    """Of ln(S_T / F)."""

    time: float
    v0: float
    kappa: float
    theta: float
    sigma: float
    rho: float
    jump_intensity: float
    jump_mean: float
    jump_volatility: float


def is_inside_domain(law: Law) -> bool:
    """Of the parameters; a comparison with NaN is false."""
    return (
        (law.v0 >= 0.0)
        & (law.v0 <= LARGEST_VARIANCE)
        & (law.kappa >= 0.0)
        & (law.kappa <= LARGEST_SPEED)
        & (law.theta >= 0.0)
        & (law.theta <= LARGEST_VARIANCE)
        & (law.sigma >= 0.0)
        & (law.sigma <= LARGEST_SPEED)
        & (abs(law.rho) <= 1.0)
        & (law.jump_intensity >= 0.0)
        & (law.jump_intensity <= LARGEST_SPEED)
        & (abs(law.jump_mean) <= LARGEST_JUMP)
        & (law.jump_volatility >= 0.0)
        & (law.jump_volatility <= LARGEST_JUMP)
    )


def relaxation(time: float, kappa: float) -> float:
    """(1 - exp(-kappa T)) / kappa."""
    return -math.expm1(-kappa * time) / kappa if kappa * time > 1e-12 else time


def expected_variance(law: Law) -> float:
    """Quadratic variation to expiry."""
    memory = relaxation(law.time, law.kappa)
    jumps = law.jump_intensity * (law.jump_mean * law.jump_mean + law.jump_volatility * law.jump_volatility)
    return law.v0 * memory + law.theta * (law.time - memory) + jumps * law.time


def log_moment(power: float, law: Law) -> float:
    """ln E[(S_T / F)^power]; infinite from its explosion on (Andersen and Piterbarg 2007, proposition 3.1)."""
    growth = power * (power - 1.0)
    beta = law.kappa - law.rho * law.sigma * power
    square = law.sigma * law.sigma
    pull = law.kappa * law.theta
    m = beta * beta - square * growth
    if law.sigma < _SMALLEST_SIGMA:
        memory = relaxation(law.time, law.kappa)
        diffusion = 0.5 * growth * (law.v0 * memory + law.theta * (law.time - memory))
    elif m < 0.0:
        frequency = math.sqrt(-m)
        angle = 0.5 * frequency * law.time
        if angle >= 0.5 * math.pi + math.atan(beta / frequency):
            return math.inf
        ratio = math.sin(angle) / frequency
        denominator = math.cos(angle) + beta * ratio
        drift = (beta * law.time - 2.0 * math.log(denominator)) / square
        diffusion = law.v0 * growth * ratio / denominator + pull * drift
    else:
        d = math.sqrt(m)
        t = math.tanh(0.5 * d * law.time)
        ratio = t / d if d * law.time > 1e-8 else 0.5 * law.time
        denominator = 1.0 + beta * ratio
        if denominator <= 0.0:
            return math.inf
        drift = ((beta - d) * law.time - 2.0 * math.log(denominator / (1.0 + t))) / square
        diffusion = law.v0 * growth * ratio / denominator + pull * drift
    if law.jump_intensity == 0.0:
        return diffusion
    variance = law.jump_volatility * law.jump_volatility
    exponent = power * law.jump_mean + 0.5 * power * power * variance
    if exponent > _LARGEST_EXPONENT:
        return math.inf
    compensator = math.expm1(law.jump_mean + 0.5 * variance)
    return diffusion + law.jump_intensity * law.time * (math.expm1(exponent) - power * compensator)


def distance(a: float, side: float, precision: float, law: Law) -> float:
    """Beyond it an option out of the money is below e^-precision sqrt(F K), by the moment 1/2 + side a; a > 1/2.

    Markov's inequality: it is at most c E[(S_T / F)^(1/2 + side a)] e^(-a distance) times sqrt(F K), where
    c = (a - 1/2)^(a - 1/2) / (a + 1/2)^(a + 1/2).
    """
    constant = (a - 0.5) * math.log(a - 0.5) - (a + 0.5) * math.log(a + 0.5)
    return (constant + log_moment(0.5 + side * a, law) + precision) / a


def reach(side: float, precision: float, variance: float, law: Law) -> float:
    """The shortest `distance`, looked for from the best one of a normal distribution on.

    `side` is 1 for calls, out to strikes above the forward, and -1 for puts. Where no moment exists beyond the first,
    or none below zero, an option out of the money is still below e^(-distance / 2) sqrt(F K).
    """
    farthest = 2.0 * precision
    a = min(math.sqrt(2.0 * precision / variance), _LARGEST_POWER)
    while a > 0.5 and distance(a, side, precision, law) == math.inf:
        a *= 0.5
    if a <= 0.5:
        return farthest
    best = distance(a, side, precision, law)
    for factor in (0.7, 1.3):
        while a * factor > 0.5:
            trial = distance(a * factor, side, precision, law)
            if not trial < best:
                break
            a, best = a * factor, trial
    return max(min(best, farthest), 0.0)
