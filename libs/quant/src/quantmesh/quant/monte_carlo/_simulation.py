"""Runs a payoff over the paths of one or several scenarios with the same random numbers, block by block."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from quantmesh.quant._arguments import Floats
from quantmesh.quant._threads import results_in_order
from quantmesh.quant.errors import DomainError
from quantmesh.quant.monte_carlo._curves import Schedule
from quantmesh.quant.monte_carlo._estimation import Estimate, Moments, estimate, joined
from quantmesh.quant.monte_carlo._payoff import Payoff, check_choice
from quantmesh.quant.monte_carlo._process import Process
from quantmesh.quant.monte_carlo._sampling import PseudoRandom, Sampler, Shape, Sobol

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Settings:
    paths: int
    steps: int
    sampler: str
    seed: int
    antithetic: bool
    control_variates: bool

    def __post_init__(self) -> None:
        if not 2 <= self.paths <= 2**40:
            raise DomainError("paths", self.paths, "a whole number from 2 to 2^40")
        if not 1 <= self.steps <= 100_000:
            raise DomainError("steps", self.steps, "a whole number from 1 to 100000")
        check_choice("sampler", self.sampler, ("sobol", "pseudo"))
        if not 0 <= self.seed < 2**64:
            raise DomainError("seed", self.seed, "a whole number from 0 to 2^64 - 1")

    def sampler_of(self, shape: Shape) -> Sampler:
        if self.sampler == "sobol":
            return Sobol(shape, self.paths, self.seed, self.antithetic)
        return PseudoRandom(shape, self.paths, self.seed, self.antithetic)


class Scenario(NamedTuple):
    process: Process
    schedule: Schedule


class Simulated(NamedTuple):
    estimates: tuple[Estimate, ...]
    sampler: Sampler
    controls: tuple[str, ...]


def shape_of(process: Process, steps: int, *, needs_variance: bool, needs_normals: bool, uniforms: int) -> Shape:
    base = max(process.factors, len(process.asset_spots) + needs_variance)
    rows = np.array([*range(process.factors), *range(base, base + uniforms)], np.int64)
    kept = process.factors if needs_normals else 0
    return Shape(steps, base + uniforms + kept, rows, process.factors, kept)


def simulate(
    payoff: Payoff, scenarios: list[Scenario], weights: Floats, settings: Settings, progress: Progress | None
) -> Simulated:
    """One estimate per row of `weights[estimate, scenario]`: that combination of the scenarios' values."""
    shape = shape_of(
        scenarios[0].process,
        settings.steps,
        needs_variance=payoff.needs_variance,
        needs_normals=payoff.needs_normals,
        uniforms=payoff.uniforms,
    )
    sampler = settings.sampler_of(shape)
    evaluations = [payoff.evaluation(*scenario) for scenario in scenarios]
    evolutions = [process.evolve(schedule, payoff.needs_variance) for process, schedule in scenarios]
    quantities = 1 + len(evaluations[0].controls)
    spare: list[tuple[Floats, Floats]] = []

    def run(block: int) -> list[Moments]:
        # Numba takes 0.7 s to import: on first use.
        from quantmesh.quant.monte_carlo._moments_kernels import moments

        groups, points = sampler.groups(block)
        paths = groups * points
        # Memory is used again, since fresh pages would take longer than the paths themselves.
        buffers = spare.pop() if spare else (np.empty(shape.steps * shape.rows * shape.columns), np.empty(0))
        numbers, kept = buffers
        drawn = numbers[: shape.steps * shape.rows * paths].reshape(shape.steps, shape.rows, paths)
        sampler.fill(block, drawn)
        shape.keep_normals(drawn)
        if len(scenarios) > 1:
            kept = kept if kept.size else np.empty_like(numbers)
            kept[: drawn.size] = drawn.ravel()
        values = np.empty((len(scenarios), quantities, paths))
        for index, (evolve, evaluation) in enumerate(zip(evolutions, evaluations, strict=True)):
            if index:
                drawn[:] = kept[: drawn.size].reshape(drawn.shape)
            evolve(drawn)
            evaluation(drawn, values[index])
        spare.append((numbers, kept))
        samples = points // 2 if sampler.pairs else points
        parts = []
        for row in weights:
            combined = np.zeros((quantities, paths))
            for scenario in np.flatnonzero(row):
                combined += row[scenario] * values[scenario]
            part = Moments(
                np.full(groups, samples), np.empty((groups, quantities)), np.empty((groups, quantities, quantities))
            )
            moments(combined, samples, sampler.pairs, part.means, part.comoments)
            parts.append(part)
        return parts

    collected: list[list[Moments]] = []
    for parts in results_in_order(run, sampler.blocks):
        collected.append(parts)
        if progress is not None:
            progress(len(collected) / sampler.blocks)
    used = quantities - 1 if settings.control_variates else 0
    known = np.array([[control.expectation for control in evaluation.controls[:used]] for evaluation in evaluations])
    estimates = tuple(
        estimate(
            joined([parts[index] for parts in collected]), row @ known, abs(row) @ abs(known), sampler.replications
        )
        for index, row in enumerate(weights)
    )
    return Simulated(estimates, sampler, tuple(control.name for control in evaluations[0].controls[:used]))
