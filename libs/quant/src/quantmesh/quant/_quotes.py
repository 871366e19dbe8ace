"""Tables of quotes: columns of equal length, or one value for all, each within its domain."""

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant._arguments import Domain, Floats
from quantmesh.quant._limits import LARGEST_AMOUNT, LARGEST_TIME
from quantmesh.quant.errors import DomainError

POSITIVE_STRIKE = Domain("strike", 1e-12, LARGEST_AMOUNT, "a positive number")
POSITIVE_FORWARD = Domain("forward", 1e-12, LARGEST_AMOUNT, "a positive number")
POSITIVE_TIME = Domain("time_to_expiry", 1e-12, LARGEST_TIME, "a positive number of years, at most 1e6")


def quote_columns(*given: tuple[Domain, ArrayLike]) -> tuple[Floats, ...]:
    """The values broadcast against each other as one-dimensional columns; the first outside its domain raises."""
    arrays = [np.atleast_1d(np.asarray(values, np.float64)) for _, values in given]
    for (domain, _), array in zip(given, arrays, strict=True):
        if not array.size:
            raise DomainError(domain.name, "no rows", "one value, or a column of them")
        if array.ndim > 1:
            raise DomainError(domain.name, f"{array.ndim} dimensions", "one value, or a column of them")
        wrong = np.flatnonzero(~((array >= domain.minimum) & (array <= domain.maximum)))
        if wrong.size:
            raise DomainError(domain.name, array[wrong[0]], domain.requirement, int(wrong[0]))
    rows = max(array.size for array in arrays)
    for (domain, _), array in zip(given, arrays, strict=True):
        if array.size not in {1, rows}:
            raise DomainError(domain.name, f"{array.size} rows", f"one value, or {rows} rows like the other columns")
    return tuple(np.ascontiguousarray(np.broadcast_to(array, rows)) for array in arrays)
