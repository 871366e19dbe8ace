"""Moves of risk factors as scenarios: spots, then their volatilities if any, then the rate if any."""

import numpy as np

from quantmesh.quant._samples import Floats
from quantmesh.quant.errors import DomainError
from quantmesh.quant.scenarios import Scenarios


def check_factors(count: int, underlyings: int) -> None:
    if count not in {underlyings, 2 * underlyings, 2 * underlyings + 1}:
        raise DomainError(
            "covariance", f"{count} factors", f"{underlyings} spots, their volatilities if any, and the rate if any"
        )


def covariance_root(covariance: Floats) -> Floats:
    """A with A A' = covariance; raises DomainError where that is indefinite."""
    values, vectors = np.linalg.eigh(covariance)
    if values[0] < -1e-10 * values[-1]:
        raise DomainError("covariance", f"an eigenvalue of {values[0]:g}", "positive semidefinite")
    root: Floats = vectors * np.sqrt(np.maximum(values, 0.0))
    return root


def scenarios_of(moves: Floats, underlyings: int, *, elapsed_years: float = 0.0) -> Scenarios:
    """`moves` are scenarios by factors: relative ones of spots and volatilities, at least -1, and shifts of the rate.

    A spot or volatility that would fall by more than the whole ends at 0.
    """
    relative = np.maximum(moves[:, : 2 * underlyings], -1.0)
    count = moves.shape[1]
    return Scenarios(
        relative[:, :underlyings],
        volatility_moves=relative[:, underlyings:] if count > underlyings else None,
        rate_shifts=moves[:, -1] if count > 2 * underlyings else None,
        elapsed_years=elapsed_years,
    )
