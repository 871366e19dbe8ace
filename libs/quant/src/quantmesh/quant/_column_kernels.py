"""What kernels over columns share."""

from typing import Any

from numba import njit

from quantmesh.quant._elementary_kernels import INLINE


def _at(column: Any, row: int) -> Any:
    """The row's element of a column, which has one alone where it is the same in every row."""
    return column[0] if column.size == 1 else column[row]


at = njit(**INLINE)(_at)
