"""What weights must satisfy, as given and as checked arrays."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant._samples import Floats, vector_of
from quantmesh.quant.errors import DomainError

# Feasible is what misses a limit by no more than this: solvers and decimal fractions leave some 1e-11.
FEASIBILITY_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Group:
    """Limits on the sum of the weights of `members`, positions of assets from 0."""

    name: str
    members: tuple[int, ...]
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Constraints:
    """Weights add up to `budget`; each lies between `minimum` and `maximum`, scalars or one per asset.

    `current` are the weights held now. `maximum_turnover` limits the sum of absolute changes from them, purchases plus
    sales; `costs`, a scalar or one per asset, are fractions of each amount bought or sold. Not more than
    `maximum_holdings` weights differ from zero, and none lies between zero and `minimum_position`. `names` stand for
    the assets in errors. `search_seconds` is how long a search for the best holdings may go on: it then answers the
    best found, with its gap.
    """

    minimum: ArrayLike = 0.0
    maximum: ArrayLike = 1.0
    budget: float = 1.0
    groups: Sequence[Group] = ()
    current: ArrayLike | None = None
    maximum_turnover: float | None = None
    costs: ArrayLike = 0.0
    maximum_holdings: int | None = None
    minimum_position: float | None = None
    names: Sequence[str] | None = None
    search_seconds: float = 20.0

    def limits(self, count: int) -> "Limits":
        """These constraints for `count` assets; raises DomainError for what is no constraint on them."""
        limits = Limits(
            given=self,
            lower=_per_asset("minimum", self.minimum, count),
            upper=_per_asset("maximum", self.maximum, count),
            budget=_finite("budget", self.budget),
            current=None if self.current is None else vector_of("current", self.current, count),
            costs=_per_asset("costs", self.costs, count),
            names=_names_of(self.names, count),
        )
        if limits.budget < 0.0 and limits.lower.min() >= 0.0:
            raise DomainError("budget", limits.budget, "zero or more where nothing may be sold short")
        if not 0.0 < self.search_seconds < math.inf:
            raise DomainError("search_seconds", self.search_seconds, "a positive number of seconds")
        _check_trades(limits)
        _check_holdings(limits)
        for index, group in enumerate(self.groups):
            _check_group(group, index, count)
        return limits


LONG_ONLY = Constraints()


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """Constraints on a known number of assets, all arrays in their order."""

    given: Constraints
    lower: Floats
    upper: Floats
    budget: float
    current: Floats | None
    costs: Floats
    names: tuple[str, ...]

    @property
    def count(self) -> int:
        return self.lower.size

    @property
    def equal_weights(self) -> Floats:
        return np.full(self.count, self.budget / self.count)

    @property
    def counts_trades(self) -> bool:
        return self.given.maximum_turnover is not None or bool(self.costs.any())

    @property
    def is_discrete(self) -> bool:
        return self.given.maximum_holdings is not None or self.given.minimum_position is not None

    @property
    def is_box(self) -> bool:
        """Nothing but a budget and bounds."""
        return not (self.given.groups or self.counts_trades or self.is_discrete)

    def cost_of(self, weights: Floats) -> float:
        return 0.0 if self.current is None else float(self.costs @ np.abs(weights - self.current))

    def are_met_by(self, weights: Floats) -> bool:
        tolerance = FEASIBILITY_TOLERANCE * max(1.0, abs(self.budget))
        given = self.given
        sums = [(float(weights[list(group.members)].sum()), group) for group in given.groups]
        turnover = 0.0 if self.current is None else float(np.abs(weights - self.current).sum())
        held = np.abs(weights[np.abs(weights) > tolerance])
        return bool(
            abs(float(weights.sum()) - self.budget) <= tolerance
            and np.all(weights >= self.lower - tolerance)
            and np.all(weights <= self.upper + tolerance)
            and all(group.minimum is None or total >= group.minimum - tolerance for total, group in sums)
            and all(group.maximum is None or total <= group.maximum + tolerance for total, group in sums)
            and (given.maximum_turnover is None or turnover <= given.maximum_turnover + tolerance)
            and (given.maximum_holdings is None or held.size <= given.maximum_holdings)
            and (given.minimum_position is None or bool(np.all(held >= given.minimum_position - tolerance)))
        )


def settle(weights: Floats, limits: Limits) -> Floats:
    """Within bounds and adding up to the budget to the last bits: solvers leave some 1e-11 on either."""
    inside = np.clip(weights, limits.lower, limits.upper)
    for _ in range(3):
        missing = limits.budget - inside.sum()
        # What sits on a bound stays there where anything else can move.
        free = (inside > limits.lower) & (inside < limits.upper)
        room = (limits.upper - inside) if missing > 0.0 else (inside - limits.lower)
        room = np.where(free, room, 0.0) if free.any() else room
        if room.sum() <= 0.0 or missing == 0.0:
            break
        inside = np.clip(inside + missing * room / room.sum(), limits.lower, limits.upper)
    return inside


def _per_asset(name: str, values: ArrayLike, count: int) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    return vector_of(name, np.full(count, float(array)) if array.ndim == 0 else array, count)


def _finite(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise DomainError(name, value, "finite")
    return float(value)


def _names_of(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"asset {index}" for index in range(count))
    if len(names) != count:
        raise DomainError("names", f"{len(names)} names", f"one for each of {count} assets")
    return tuple(names)


def _check_trades(limits: Limits) -> None:
    turnover = limits.given.maximum_turnover
    if turnover is not None and not 0.0 <= turnover < math.inf:
        raise DomainError("maximum_turnover", turnover, "a sum of absolute changes of weights, zero or more")
    if limits.costs.min() < 0.0:
        raise DomainError("costs", float(limits.costs.min()), "zero or more", int(limits.costs.argmin()))
    if limits.counts_trades and limits.current is None:
        raise DomainError("current", None, "given, since turnover and costs count from it")


def _check_holdings(limits: Limits) -> None:
    holdings, position = limits.given.maximum_holdings, limits.given.minimum_position
    if holdings is not None and (holdings < 1 or not float(holdings).is_integer()):
        raise DomainError("maximum_holdings", holdings, "a whole number of at least 1")
    if position is not None:
        if not 0.0 < position < math.inf:
            raise DomainError("minimum_position", position, "a positive weight")
        if limits.lower.min() < 0.0:
            index = int(limits.lower.argmin())
            raise DomainError("minimum", float(limits.lower[index]), "zero or more beside a minimum_position", index)


def _check_group(group: Group, index: int, count: int) -> None:
    members = group.members
    if not members or len(set(members)) != len(members) or not all(0 <= member < count for member in members):
        raise DomainError("groups", f"members {members}", f"distinct positions of assets from 0 to {count - 1}", index)
    for bound in (group.minimum, group.maximum):
        if bound is not None and not math.isfinite(bound):
            raise DomainError("groups", bound, "finite limits", index)


def require_bare(constraints: Constraints, count: int, method: str) -> Limits:
    """The limits, where they say no more than what is long-only; raises DomainError naming the first that does."""
    limits = constraints.limits(count)
    plain = LONG_ONLY.limits(count)
    set_ones = {
        "minimum": not np.array_equal(limits.lower, plain.lower),
        "maximum": not np.array_equal(limits.upper, plain.upper),
        "groups": len(constraints.groups) > 0,
        "maximum_turnover": constraints.maximum_turnover is not None,
        "costs": bool(limits.costs.any()),
        "maximum_holdings": constraints.maximum_holdings is not None,
        "minimum_position": constraints.minimum_position is not None,
    }
    for name, is_set in set_ones.items():
        if is_set:
            raise DomainError(name, getattr(constraints, name), f"left out: {method} has no room for it")
    if limits.budget <= 0.0:
        raise DomainError("budget", limits.budget, "positive")
    return limits
