"""What every family of closed forms does with its columns: run a kernel over chunks of rows, tell what was wrong."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant._arguments import Columns, Domain, Floats
from quantmesh.quant._recycled import empty
from quantmesh.quant._threads import CHUNK_ROWS, run_in_chunks
from quantmesh.quant.errors import DomainError

Value = float | Floats
_LINE = 8


def evaluate(
    columns: Columns,
    domains: Sequence[Domain],
    count: int,
    kernel: Callable[..., int],
    chunk_rows: int = CHUNK_ROWS,
) -> tuple[Value, ...]:
    """`count` answers per row; `kernel` returns how many rows lie outside their domain."""
    # Each answer begins on a line of the caches.
    outputs = empty((count, -(-columns.rows // _LINE) * _LINE))

    def task(start: int, stop: int) -> None:
        if kernel(*columns.arrays, start, stop, outputs):
            columns.check(domains, start, stop)

    run_in_chunks(task, columns.rows, chunk_rows)
    return tuple(shaped(output[: columns.rows], columns) for output in outputs)


def invert(columns: Columns, kernel: Callable[..., None]) -> tuple[Floats, NDArray[np.int8]]:
    """An answer and a status per row."""
    answers = np.empty(columns.rows)
    statuses = np.empty(columns.rows, np.int8)

    def task(start: int, stop: int) -> None:
        kernel(*columns.arrays, start, stop, answers, statuses)

    run_in_chunks(task, columns.rows)
    return answers, statuses


def shaped(values: Floats, columns: Columns) -> Value:
    """One answer per row, in the arguments' shape."""
    return float(values[0]) if columns.shape == () else values.reshape(columns.shape)


def check_solved(
    columns: Columns,
    statuses: NDArray[np.int8],
    arguments: Sequence[str],
    requirements: Mapping[int, tuple[str, str]],
) -> None:
    """Raise for the first row without an answer; `arguments` names the columns in their order."""
    unsolved = np.flatnonzero(statuses)
    if unsolved.size:
        row = int(unsolved[0])
        name, requirement = requirements[int(statuses[row])]
        value = columns.value(arguments.index(name), row)
        raise DomainError(name, value, requirement, None if columns.shape == () else row)
