"""The price of a payoff under a process."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from quantmesh.quant._limits import LARGEST_EXPONENT
from quantmesh.quant.errors import DomainError
from quantmesh.quant.monte_carlo._american import American, Exercise
from quantmesh.quant.monte_carlo._curves import Schedule, schedule_of
from quantmesh.quant.monte_carlo._estimation import Estimate
from quantmesh.quant.monte_carlo._exercise_fit import fit
from quantmesh.quant.monte_carlo._greeks import Greeks, greeks
from quantmesh.quant.monte_carlo._payoff import Payoff, check_observations
from quantmesh.quant.monte_carlo._process import Process
from quantmesh.quant.monte_carlo._simulation import Progress, Scenario, Settings, Simulated, simulate


@dataclass(frozen=True)
class Result:
    """`paths` are those simulated, a little more than asked for; `replications` is None for independent paths.

    The value of an American option is a lower bound, and `upper_bound` the other end; it is None for all others.
    """

    value: float
    standard_error: float
    paths: int
    replications: int | None
    control_variates: tuple[str, ...]
    upper_bound: Estimate | None
    _payoff: Payoff = field(repr=False)
    _process: Process = field(repr=False)
    _settings: Settings = field(repr=False)
    _progress: Progress | None = field(repr=False)

    @cached_property
    def greeks(self) -> Greeks:
        """Central differences over the same random numbers, simulated on first use: several times the price's time.

        An American option keeps its policy, whose small changes leave the value as it is.
        """
        return greeks(self._payoff, self._process, self._settings, self._progress)


def price(
    payoff: Payoff | American,
    process: Process,
    *,
    paths: int = 65_536,
    steps: int = 252,
    sampler: str = "sobol",
    seed: int = 0,
    control_variates: bool = True,
    antithetic: bool = True,
    progress: Progress | None = None,
) -> Result:
    """What the payoff is worth today, with a standard error.

    `antithetic` makes every second path the mirror image of one that was drawn. `progress` receives the fraction done
    after every block of paths, in the caller's thread; whatever it raises ends the simulation and reaches the caller.
    """
    settings = Settings(paths, steps, sampler, seed, antithetic, control_variates)
    schedule = _checked(payoff, process, steps)
    if not isinstance(payoff, American):
        found = _simulate(payoff, process, schedule, settings, progress)
        return _result(found, None, payoff, process, settings, progress)
    policy = fit(payoff, process, schedule, settings)
    earning = Exercise(payoff, policy, dual=False)
    found = _simulate(earning, process, schedule, settings, _part(progress, 0.0))
    bound = _simulate(Exercise(payoff, policy, dual=True), process, schedule, settings, _part(progress, 0.5))
    return _result(found, bound.estimates[0], earning, process, settings, progress)


def check(
    payoff: Payoff | American, process: Process, *, paths: int, steps: int, sampler: str = "sobol", seed: int = 0
) -> None:
    """Raises the DomainError that `price` would begin with, where its arguments do not fit together."""
    Settings(paths, steps, sampler, seed, antithetic=True, control_variates=True)
    _checked(payoff, process, steps)


def _checked(payoff: Payoff | American, process: Process, steps: int) -> Schedule:
    payoff.check(process)
    schedule = schedule_of(payoff.time_to_expiry, steps)
    if abs(accrued := schedule.total(process.rate)) > LARGEST_EXPONENT:
        raise DomainError("rate", process.rate, f"at most {LARGEST_EXPONENT} over the time to expiry, not {accrued:g}")
    if not isinstance(payoff, American):
        check_observations(payoff.observations, steps)
    return schedule


def _simulate(
    payoff: Payoff, process: Process, schedule: Schedule, settings: Settings, progress: Progress | None
) -> Simulated:
    return simulate(payoff, [Scenario(process, schedule)], np.ones((1, 1)), settings, progress)


def _part(progress: Progress | None, start: float) -> Progress | None:
    """Of a work of two halves."""
    return None if progress is None else lambda fraction: progress(start + 0.5 * fraction)


def _result(
    found: Simulated,
    upper_bound: Estimate | None,
    payoff: Payoff,
    process: Process,
    settings: Settings,
    progress: Progress | None,
) -> Result:
    return Result(
        value=found.estimates[0].value,
        standard_error=found.estimates[0].standard_error,
        paths=found.sampler.paths,
        replications=found.sampler.replications,
        control_variates=found.controls,
        upper_bound=upper_bound,
        _payoff=payoff,
        _process=process,
        _settings=settings,
        _progress=progress,
    )
