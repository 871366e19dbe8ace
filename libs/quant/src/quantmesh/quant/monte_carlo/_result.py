"""The price of a payoff under a process."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from quantmesh.quant._limits import LARGEST_EXPONENT
from quantmesh.quant.errors import DomainError
from quantmesh.quant.monte_carlo._curves import schedule_of
from quantmesh.quant.monte_carlo._greeks import Greeks, greeks
from quantmesh.quant.monte_carlo._payoff import Payoff, check_observations
from quantmesh.quant.monte_carlo._process import Process
from quantmesh.quant.monte_carlo._simulation import Progress, Scenario, Settings, simulate


@dataclass(frozen=True)
class Result:
    """`paths` are those simulated, a little more than asked for; `replications` is None for independent paths."""

    value: float
    standard_error: float
    paths: int
    replications: int | None
    control_variates: tuple[str, ...]
    _payoff: Payoff = field(repr=False)
    _process: Process = field(repr=False)
    _settings: Settings = field(repr=False)
    _progress: Progress | None = field(repr=False)

    @cached_property
    def greeks(self) -> Greeks:
        """Central differences over the same random numbers, simulated on first use: several times the price's time."""
        return greeks(self._payoff, self._process, self._settings, self._progress)


def price(
    payoff: Payoff,
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

    `antithetic` pairs pseudo-random paths; Sobol points are balanced without. `progress` receives the fraction done
    after every block of paths, in the caller's thread; whatever it raises ends the simulation and reaches the caller.
    """
    settings = Settings(paths, steps, sampler, seed, antithetic, control_variates)
    payoff.check(process)
    check_observations(payoff.observations, steps)
    schedule = schedule_of(payoff.time_to_expiry, steps)
    if abs(accrued := schedule.total(process.rate)) > LARGEST_EXPONENT:
        raise DomainError("rate", process.rate, f"at most {LARGEST_EXPONENT} over the time to expiry, not {accrued:g}")
    found = simulate(payoff, [Scenario(process, schedule)], np.ones((1, 1)), settings, progress)
    return Result(
        value=found.estimates[0].value,
        standard_error=found.estimates[0].standard_error,
        paths=found.sampler.paths,
        replications=found.sampler.replications,
        control_variates=found.controls,
        _payoff=payoff,
        _process=process,
        _settings=settings,
        _progress=progress,
    )
