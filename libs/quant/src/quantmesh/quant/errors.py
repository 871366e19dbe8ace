"""What can be wrong with an argument.

QuantError (ValueError)
├── DomainError        an argument lies outside the domain of its formula
├── InfeasibleError    no weights satisfy the constraints
└── SolverError        an optimisation ended without an answer
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from quantmesh.quant.optimize import Constraints


class QuantError(ValueError):
    pass


class DomainError(QuantError):
    """`argument[index]` has `value`, and `requirement` says what it must be; `index` is None for a scalar."""

    def __init__(self, argument: str, value: object, requirement: str, index: int | None = None) -> None:
        place = argument if index is None else f"{argument}[{index}]"
        super().__init__(f"{place} must be {requirement}, got {value}")
        self.argument = argument
        self.value = value
        self.requirement = requirement
        self.index = index


_MOST_NAMED = 8


class Change(NamedTuple):
    """The limit `constraint` (an argument of Constraints, or "group minimum", "group maximum") has been `given` and
    would have to be `relaxed`; `name` is its asset or group, empty where it concerns all."""

    constraint: str
    name: str
    given: float
    relaxed: float

    @property
    def label(self) -> str:
        return f"{self.constraint} of {self.name}" if self.name else self.constraint


class InfeasibleError(QuantError):
    """Constraints that no weights satisfy.

    `conflicts` names an irreducible set of them: without any one, the others of the set can be satisfied.
    `changes` is the least relaxation that makes all of them feasible, by `shortfall` in total, and `relaxed` the
    constraints with these changes, ready to be asked for.
    """

    def __init__(
        self, conflicts: Sequence[str], shortfall: float, changes: Sequence[Change], relaxed: "Constraints"
    ) -> None:
        named = ", ".join(conflicts[:_MOST_NAMED])
        others = f" and {len(conflicts) - _MOST_NAMED} more" if len(conflicts) > _MOST_NAMED else ""
        super().__init__(f"No weights satisfy {named}{others} together.")
        self.conflicts = tuple(conflicts)
        self.shortfall = shortfall
        self.changes = tuple(changes)
        self.relaxed = relaxed

    @property
    def relaxation(self) -> dict[str, float]:
        """The new value of each changed limit, by its label."""
        return {change.label: change.relaxed for change in self.changes}


class SolverError(QuantError):
    def __init__(self, solver: str, status: str) -> None:
        super().__init__(f"{solver} ended with status {status}")
        self.solver = solver
        self.status = status
