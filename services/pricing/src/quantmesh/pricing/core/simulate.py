"""The price of a payoff by simulation (PRC-4)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from quantmesh.pricing.core.errors import InvalidArgument, NoPrice
from quantmesh.quant import monte_carlo
from quantmesh.quant.errors import DomainError

# Steps of one asset under geometric Brownian motion that a busy machine does within a second.
_INLINE_STEPS = 20_000_000
_MOST_STEPS = 5_000_000_000
# How many of those a step under this process takes.
_COST = {"GeometricBrownianMotion": 1, "CorrelatedAssets": 2, "Heston": 8, "LocalVolatility": 4}
_COST_OF_EXERCISE = 60
_COST_OF_GREEKS = 4


@dataclass(frozen=True, slots=True)
class Simulation:
    """Raises InvalidArgument where its contents do not fit together."""

    payoff: monte_carlo.Payoff
    process: monte_carlo.Process
    paths: int
    steps: int
    sampler: str
    seed: int
    greeks: bool

    def __post_init__(self) -> None:
        try:
            monte_carlo.check(
                self.payoff, self.process, paths=self.paths, steps=self.steps, sampler=self.sampler, seed=self.seed
            )
        except DomainError as error:
            raise InvalidArgument.placed(error, self.place) from error

    @property
    def cost(self) -> int:
        """In steps of one asset under geometric Brownian motion. Raises InvalidArgument beyond what is done at all."""
        assets = len(self.process.spots) if isinstance(self.process, monte_carlo.CorrelatedAssets) else 1
        cost = self.paths * self.steps * assets
        cost *= _COST[type(self.process).__name__]
        cost *= _COST_OF_EXERCISE if isinstance(self.payoff, monte_carlo.American) else 1
        cost *= _COST_OF_GREEKS if self.greeks else 1
        if cost > _MOST_STEPS:
            most = self.paths * _MOST_STEPS // cost
            raise InvalidArgument("paths", self.paths, f"at most {most} for a simulation of this kind")
        return cost

    def place(self, argument: str) -> str:
        """Where a request has what quant calls by this name."""
        parts: dict[str, Any] = {"payoff": self.payoff, "process": self.process}
        for name, part in parts.items():
            if argument.partition("[")[0] in {field.name for field in fields(part)}:
                return f"{name}.{argument}"
        return argument

    @property
    def is_long(self) -> bool:
        return self.cost > _INLINE_STEPS


def simulate(simulation: Simulation, progress: Callable[[float], None]) -> dict[str, Any]:
    """The answer as clients see it. What `progress` raises ends the simulation. Raises InvalidArgument and NoPrice."""
    parts = 2 if simulation.greeks else 1
    done = 0

    def report(share: float) -> None:
        progress((done + share) / parts)

    try:
        found = monte_carlo.price(
            simulation.payoff,
            simulation.process,
            paths=simulation.paths,
            steps=simulation.steps,
            sampler=simulation.sampler,
            seed=simulation.seed,
            progress=report,
        )
        done = 1
        greeks = _greeks(found.greeks) if simulation.greeks else None
    except DomainError as error:
        raise InvalidArgument.placed(error, simulation.place) from error
    if not (math.isfinite(found.value) and math.isfinite(found.standard_error)):
        raise NoPrice("monte_carlo")
    bound = found.upper_bound
    return {
        "price": found.value,
        "standard_error": found.standard_error,
        "engine": "monte_carlo",
        "paths": found.paths,
        "steps": simulation.steps,
        "sampler": simulation.sampler,
        "seed": simulation.seed,
        "replications": found.replications,
        "control_variates": list(found.control_variates),
        "upper_bound": None if bound is None else {"price": bound.value, "standard_error": bound.standard_error},
        "greeks": greeks,
    }


def _greeks(greeks: monte_carlo.Greeks) -> dict[str, Any]:
    values = greeks._asdict()
    errors = values.pop("standard_errors")._asdict()
    return {**_shown(values), "standard_errors": _shown(errors)}


def _shown(values: dict[str, float | tuple[float, ...]]) -> dict[str, Any]:
    """One number, or a list of one per asset; what is not finite is null."""
    return {
        name: [_finite(item) for item in value] if isinstance(value, tuple) else _finite(value)
        for name, value in values.items()
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
