"""Geometric Brownian motion, of one asset or of several that are correlated."""

from dataclasses import dataclass, replace

import numpy as np

from quantmesh.quant._arguments import (
    CORRELATION,
    DIVIDEND_YIELD,
    POSITIVE_SPOT,
    RATE,
    VOLATILITY,
    Floats,
    check_scalar,
)
from quantmesh.quant.errors import DomainError
from quantmesh.quant.monte_carlo._curves import Curve, Schedule, check_curve, range_of, shifted
from quantmesh.quant.monte_carlo._process import Evolve, OneAsset, carries

# How far below zero rounding may take a pivot or an eigenvalue of a matrix that is only just semidefinite.
_TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True)
class GeometricBrownianMotion(OneAsset):
    """One asset; rate, dividend yield and volatility per year may be piecewise constant in time."""

    volatility: Curve

    def __post_init__(self) -> None:
        # Classes with slots have no super() of their own.
        OneAsset.__post_init__(self)
        check_curve("volatility", self.volatility, VOLATILITY)

    @property
    def factors(self) -> int:
        return 1

    def variances(self, schedule: Schedule) -> Floats:
        """Covariances of the logarithms over each step, `[step, asset, asset]`."""
        return schedule.accrued(self.volatility, 2)[:, None, None]

    def evolve(self, schedule: Schedule, with_variance: bool) -> Evolve:
        return _evolve(self.asset_spots, (self.volatility,), self.carries(schedule), np.eye(1), schedule, with_variance)

    def volatility_ranges(self) -> tuple[tuple[float, float], ...]:
        return (range_of(self.volatility),)

    def with_volatility_shifts(self, shifts: tuple[float, ...]) -> "GeometricBrownianMotion":
        return replace(self, volatility=shifted(self.volatility, shifts[0]))


@dataclass(frozen=True, slots=True)
class CorrelatedAssets:
    """Several geometric Brownian motions under one rate; `correlation` is a symmetric, semidefinite matrix."""

    spots: tuple[float, ...]
    rate: Curve
    dividend_yields: tuple[Curve, ...]
    volatilities: tuple[Curve, ...]
    correlation: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        count = len(self.spots)
        for name in ("dividend_yields", "volatilities"):
            if len(getattr(self, name)) != count:
                raise DomainError(name, f"{len(getattr(self, name))} of them", f"as many as the {count} spots")
        for asset in range(count):
            check_scalar(self.spots[asset], POSITIVE_SPOT._replace(name=f"spots[{asset}]"))
            check_curve(f"dividend_yields[{asset}]", self.dividend_yields[asset], DIVIDEND_YIELD)
            check_curve(f"volatilities[{asset}]", self.volatilities[asset], VOLATILITY)
        check_curve("rate", self.rate, RATE)
        check_correlation(self.correlation, count)

    @property
    def asset_spots(self) -> tuple[float, ...]:
        return self.spots

    @property
    def factors(self) -> int:
        return len(self.spots)

    def carries(self, schedule: Schedule) -> Floats:
        return carries(self.rate, self.dividend_yields, schedule)

    def variances(self, schedule: Schedule) -> Floats:
        """Covariances of the logarithms over each step, `[step, asset, asset]`: the deviations move together."""
        deviations = _deviations(self.volatilities, schedule)
        covariances: Floats = deviations[:, :, None] * deviations[:, None, :] * np.array(self.correlation, np.float64)
        return covariances

    def evolve(self, schedule: Schedule, with_variance: bool) -> Evolve:
        factor = lower_factor(np.array(self.correlation, np.float64))
        return _evolve(self.spots, self.volatilities, self.carries(schedule), factor, schedule, with_variance)

    def with_spots(self, spots: tuple[float, ...]) -> "CorrelatedAssets":
        return replace(self, spots=spots)

    def with_rate_shift(self, shift: float) -> "CorrelatedAssets":
        return replace(self, rate=shifted(self.rate, shift))

    def volatility_ranges(self) -> tuple[tuple[float, float], ...]:
        return tuple(range_of(volatility) for volatility in self.volatilities)

    def with_volatility_shifts(self, shifts: tuple[float, ...]) -> "CorrelatedAssets":
        moved = tuple(shifted(curve, shift) for curve, shift in zip(self.volatilities, shifts, strict=True))
        return replace(self, volatilities=moved)


def check_correlation(correlation: tuple[tuple[float, ...], ...], count: int) -> None:
    matrix = np.array(correlation, dtype=np.float64)
    if matrix.shape != (count, count):
        raise DomainError("correlation", f"shape {matrix.shape}", f"a matrix of {count} by {count}")
    for row, column in np.ndindex(count, count):
        value = float(matrix[row, column])
        check_scalar(value, CORRELATION._replace(name=f"correlation[{row}][{column}]"))
        wanted = 1.0 if row == column else float(matrix[column, row])
        if value != wanted:
            raise DomainError(f"correlation[{row}][{column}]", value, f"{wanted}, as the matrix is symmetric")
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest < -_TOLERANCE:
        raise DomainError("correlation", f"one with the eigenvalue {smallest:.6g}", "a positive semidefinite matrix")


def lower_factor(matrix: Floats) -> Floats:
    """Cholesky's factor, also of a matrix that is only semidefinite: a pivot of zero leaves its column empty."""
    factor = np.zeros_like(matrix)
    for k in range(matrix.shape[0]):
        column = matrix[k:, k] - factor[k:, :k] @ factor[k, :k]
        if column[0] > _TOLERANCE:
            factor[k:, k] = column / np.sqrt(column[0])
    return factor


def _deviations(volatilities: tuple[Curve, ...], schedule: Schedule) -> Floats:
    """`[step, asset]`."""
    variances = np.array([schedule.accrued(volatility, 2) for volatility in volatilities])
    return np.ascontiguousarray(np.sqrt(variances.T))


def _evolve(
    spots: tuple[float, ...],
    volatilities: tuple[Curve, ...],
    carry: Floats,
    factor: Floats,
    schedule: Schedule,
    with_variance: bool,
) -> Evolve:
    # Numba takes 0.7 s to import: on first use.
    from quantmesh.quant.monte_carlo import _path_kernels as kernels

    start = np.log(np.array(spots))
    deviations = _deviations(volatilities, schedule)
    drifts = np.diff(carry, axis=0, prepend=0.0) - 0.5 * deviations**2

    def evolve(block: Floats) -> None:
        kernels.lognormal(block, start, drifts, deviations, factor, with_variance)

    return evolve
