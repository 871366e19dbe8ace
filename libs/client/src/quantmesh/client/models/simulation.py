"""Prices by simulation."""

from quantmesh.client.models.base import Answer


class Estimate(Answer):
    price: float
    standard_error: float


Sensitivity = float | tuple[float | None, ...] | None


class Sensitivities(Answer):
    """One number, or one for each of several assets; units as of a price's Greeks."""

    delta: Sensitivity
    gamma: Sensitivity
    vega: Sensitivity
    theta: Sensitivity
    rho: Sensitivity


class SimulatedGreeks(Sensitivities):
    standard_errors: Sensitivities


class Simulation(Estimate):
    """The same seed gives the same answer to the last bit. An American price is a lower bound."""

    engine: str
    paths: int
    steps: int
    sampler: str
    seed: int
    replications: int | None
    control_variates: tuple[str, ...]
    upper_bound: Estimate | None
    greeks: SimulatedGreeks | None
