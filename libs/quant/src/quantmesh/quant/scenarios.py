"""Scenarios of the market: moves of spots, volatilities and rates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant._arguments import Floats
from quantmesh.quant.errors import DomainError


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Scenarios:
    """Arrays of scenarios by underlyings, with one column where a move is the same for all underlyings.

    A spot becomes spot * (1 + move). A volatility becomes volatility * (1 + move) + shift, and 0 where that is
    negative. The rate becomes rate + shift (one per scenario). None says that nothing moves. `elapsed_years` pass in
    every scenario.
    """

    spot_moves: Floats
    volatility_moves: Floats | None
    volatility_shifts: Floats | None
    rate_shifts: Floats | None
    elapsed_years: float

    def __init__(
        self,
        spot_moves: ArrayLike = 0.0,
        *,
        volatility_moves: ArrayLike | None = None,
        volatility_shifts: ArrayLike | None = None,
        rate_shifts: ArrayLike | None = None,
        elapsed_years: float = 0.0,
    ) -> None:
        """A scalar or a vector of moves is one scenario, a vector of rate shifts one per element; a single scenario of
        one kind goes with all of another. Raises DomainError for a move below -1.
        """
        given: dict[str, tuple[ArrayLike | None, float]] = {
            "spot_moves": (spot_moves, -1.0),
            "volatility_moves": (volatility_moves, -1.0),
            "volatility_shifts": (volatility_shifts, -np.inf),
            "rate_shifts": (None if rate_shifts is None else np.reshape(rate_shifts, (-1, 1)), -np.inf),
        }
        moves = {name: _moves(name, values, least) for name, (values, least) in given.items() if values is not None}
        count = max(array.shape[0] for array in moves.values())
        for name, array in moves.items():
            if array.shape[0] not in {1, count}:
                raise DomainError(name, f"{array.shape[0]} scenarios", f"as many scenarios as the others: {count}")
            moves[name] = np.broadcast_to(array, (count, array.shape[1]))
        if not 0.0 <= elapsed_years < np.inf:
            raise DomainError("elapsed_years", elapsed_years, "a number of years, 0 or more")
        if "rate_shifts" in moves:
            moves["rate_shifts"] = moves["rate_shifts"][:, 0]
        for name in given:
            object.__setattr__(self, name, moves.get(name))
        object.__setattr__(self, "elapsed_years", float(elapsed_years))

    @property
    def count(self) -> int:
        return int(self.spot_moves.shape[0])


def _moves(name: str, values: ArrayLike, least: float) -> Floats:
    array = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if array.ndim != 2 or 0 in array.shape:
        raise DomainError(name, f"shape {array.shape}", "scenarios by underlyings")
    inside: NDArray[np.bool_] = np.isfinite(array) & (array >= least)
    if not inside.all():
        wrong = int(np.flatnonzero(~inside)[0])
        raise DomainError(
            name, array.flat[wrong], "finite" if least == -np.inf else f"finite and at least {least:g}", wrong
        )
    return array
