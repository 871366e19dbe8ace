"""Fits the policy and the martingale of an American option to paths of their own, backwards from expiry."""

from dataclasses import replace

import numpy as np

from quantmesh.quant._arguments import Floats, sign_of
from quantmesh.quant.monte_carlo._american import American, Policy
from quantmesh.quant.monte_carlo._curves import Schedule
from quantmesh.quant.monte_carlo._estimation import regression
from quantmesh.quant.monte_carlo._exercise_basis import Basis, Paths, combination, paths_of
from quantmesh.quant.monte_carlo._heston import Heston
from quantmesh.quant.monte_carlo._process import Process
from quantmesh.quant.monte_carlo._simulation import Settings, shape_of

_MOST_PATHS = 16_384
# Doubles that the fitted paths may take: 128 MiB.
_MOST_NUMBERS = 1 << 24
# Of the fit's paths, so that they are independent of the fresh ones.
_SEED_MASK = 0x5DEECE66D


def fit(option: American, process: Process, schedule: Schedule, settings: Settings) -> Policy:
    paths, steps = _paths(process, schedule, settings), schedule.steps
    discounts = schedule.discounts(process.rate)
    bases = _bases(option, process, schedule, paths)
    earned = discounts[steps] * option.intrinsic(paths.logarithms(steps))
    value = earned
    continuation: list[Floats] = []
    martingale: list[Floats] = []
    for step in range(steps - 1, -1, -1):
        features = bases[step].features(paths, step)
        # The next value regressed on this state and on the step's normals together: its mean and its martingale part.
        terms = features.moves(paths.normals(step))
        mean, moves = np.split(_weights(np.concatenate((features.values, terms)), value), [len(features.values)])
        paid = discounts[step] * option.intrinsic(paths.logarithms(step))
        inside = paid > 0.0
        # Longstaff and Schwartz: what waiting earned, regressed over the paths where there is a choice. Without the
        # martingale's move it has the same expectation, and a fraction of the noise.
        earned = earned - combination(moves, terms)
        chosen = features.values[:, inside]
        waiting = _weights(chosen, earned[inside]) if inside.any() else np.zeros(len(chosen))
        leaves = inside.copy()
        leaves[inside] = paid[inside] >= combination(waiting, chosen)
        value = np.maximum(paid, combination(mean, features.values))
        now = float(paid[0]) >= float(np.mean(earned))
        earned = np.where(leaves, paid, earned)
        continuation.append(waiting)
        martingale.append(moves)
    return Policy(tuple(bases), tuple(continuation[::-1]), tuple(martingale[::-1]), bool(paid[0] > 0.0 and now))


def _paths(process: Process, schedule: Schedule, settings: Settings) -> Paths:
    shape = shape_of(process, schedule.steps, needs_variance=True, needs_normals=True, uniforms=0)
    most = min(settings.paths, _MOST_PATHS, max(_MOST_NUMBERS // (shape.steps * shape.rows), 256))
    sampler = replace(settings, paths=most, seed=settings.seed ^ _SEED_MASK).sampler_of(shape)
    evolve = process.evolve(schedule, True)
    parts = []
    for block in range(sampler.blocks):
        groups, points = sampler.groups(block)
        numbers = np.empty((shape.steps, shape.rows, groups * points))
        sampler.fill(block, numbers)
        shape.keep_normals(numbers)
        evolve(numbers)
        parts.append(numbers)
    return paths_of(np.concatenate(parts, axis=2), process, schedule)


def _bases(option: American, process: Process, schedule: Schedule, paths: Paths) -> list[Basis]:
    carries = np.concatenate(([0.0], process.carries(schedule)[:, 0]))
    discount = schedule.discount(process.rate)
    variances = [float(np.var(paths.logarithms(step))) for step in range(schedule.steps + 1)]
    left = [max(variances[-1] - variance, 0.0) for variance in variances]
    states = [np.zeros(1) if paths.variances is None else paths.variances[step] for step in range(schedule.steps)]
    return [
        Basis(
            sign=sign_of(option.option_type),
            strike=option.strike,
            discount=discount,
            centre=float(np.mean(paths.logarithms(step))),
            width=max(variances[step], 1e-20) ** 0.5,
            growth=float(carries[-1] - carries[step]),
            variance=left[step],
            variance_slope=slope,
            variance_centre=float(np.mean(states[step])),
        )
        for step, slope in enumerate(_variance_slopes(process, schedule))
    ]


def _variance_slopes(process: Process, schedule: Schedule) -> Floats:
    """How the expected variance to expiry grows with the variance of each step, by Heston's mean reversion."""
    if not isinstance(process, Heston):
        return np.zeros(schedule.steps)
    years = schedule.times[-1] - schedule.times[:-1]
    slopes: Floats = years if process.kappa == 0.0 else -np.expm1(-process.kappa * years) / process.kappa
    return slopes


def _weights(features: Floats, targets: Floats) -> Floats:
    from quantmesh.quant.monte_carlo._moments_kernels import products

    stacked = np.ascontiguousarray(np.concatenate((features, targets[None])))
    matrix = np.empty((len(stacked), len(stacked)))
    products(stacked, matrix)
    return regression(matrix[:-1, :-1], matrix[:-1, -1])
