"""What can be wrong with an argument.

QuantError (ValueError)
├── DomainError        an argument lies outside the domain of its formula
├── InfeasibleError    no weights satisfy all the bounds
└── SolverError        an optimisation ended without an answer
"""

from collections.abc import Sequence


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


class InfeasibleError(QuantError):
    """Bounds on weights that no fully invested portfolio meets.

    `conflicts` names the binding bounds; `shortfall` is the least total amount by which they must be relaxed, and
    `relaxation` one way to do it: the new value of each named bound.
    """

    def __init__(self, detail: str, conflicts: Sequence[str], shortfall: float, relaxation: dict[str, float]) -> None:
        super().__init__(detail)
        self.conflicts = tuple(conflicts)
        self.shortfall = shortfall
        self.relaxation = dict(relaxation)


class SolverError(QuantError):
    def __init__(self, solver: str, status: str) -> None:
        super().__init__(f"{solver} ended with status {status}")
        self.solver = solver
        self.status = status
