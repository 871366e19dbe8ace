"""Quant's refusals as the service's, named after the request's fields."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from quantmesh.quant.errors import DomainError, SolverError
from quantmesh.risk.core.errors import NoFigure, NotMeasurable, OutOfDomain

# What quant calls otherwise than requests do, and what it has many of where a request has one, or one per symbol.
_FIELDS = {"rate_shifts": "rate"}
_WITHOUT_PLACES = frozenset({"rate", "rate_shift", "shocks"})


@contextmanager
def quant_domain(**fields: str) -> Iterator[None]:
    """`fields` names the request's field of an argument that is called otherwise."""
    try:
        yield
    except DomainError as error:
        field = (_FIELDS | fields).get(error.argument, error.argument)
        place = field if error.index is None or field in _WITHOUT_PLACES else f"{field}[{error.index}]"
        raise OutOfDomain(place, error.value, error.requirement) from error
    except SolverError as error:
        raise NoFigure(str(error)) from error


@contextmanager
def movement_of(names: Sequence[str]) -> Iterator[None]:
    """`names` of the covariance's rows: whose never changed in the days it is of is named, not the covariance."""
    try:
        yield
    except DomainError as error:
        if error.argument != "covariance diagonal" or error.index is None:
            raise
        raise NotMeasurable(f"{names[error.index]} did not move on the days that its risk is estimated from") from error


@contextmanager
def enough_observations(field: str, count: int) -> Iterator[None]:
    """What quant says of the returns, said of how many of them the request asks for."""
    try:
        yield
    except DomainError as error:
        if error.argument != "returns":
            raise
        raise OutOfDomain(field, count, f"enough to estimate from: {error.requirement}") from error
