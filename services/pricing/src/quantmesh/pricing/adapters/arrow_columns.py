"""Arrow record batches to columns of options, and answers back (the README says how columns travel)."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quantmesh.pricing.core.errors import InvalidArgument, InvalidColumns
from quantmesh.pricing.core.model import Column, OptionColumns
from quantmesh.pricing.core.models import Inverse
from quantmesh.quant.black_scholes import REQUIREMENTS, ImpliedVolatilities, Status

BATCH_ROWS = 65_536
_OPTIONAL = ("rate", "dividend_yield", "shift")


class ColumnReader:
    """Reads the batches of one stream; `arguments` are what it has to have beside the option type, in order."""

    def __init__(self, schema: pa.Schema, arguments: Sequence[str]) -> None:
        """Raises InvalidColumns where the schema has unknown columns, or lacks one."""
        known = {"option_type", *arguments}
        self._arguments = arguments
        self._names = schema.names
        for index, name in enumerate(self._names):
            if name not in known:
                raise InvalidColumns(name, f"no such column; there are {', '.join(sorted(known))}")
            if name in self._names[:index]:
                raise InvalidColumns(name, "the column is there twice")
        if not self._names:
            raise InvalidColumns(arguments[-1], "at least one must be a column, since it says how many rows there are")
        self._constants: dict[str, float | int] = {
            name: 0.0 for name in _OPTIONAL if name in known and name not in self._names
        }
        for key, text in (schema.metadata or {}).items():
            name = key.decode("utf-8", "replace")
            if name in known:
                if name in self._names:
                    raise InvalidColumns(name, "both a column and a constant in the schema's metadata")
                self._constants[name] = _constant(name, text.decode("utf-8", "replace"))
        for name in ("option_type", *arguments):
            if name not in self._names and name not in self._constants:
                raise InvalidColumns(name, "missing: neither a column nor a constant in the schema's metadata")

    def read(self, batch: pa.RecordBatch) -> OptionColumns:
        """Nulls become NaN and 0, which are outside every domain."""
        arrays = dict(zip(self._names, batch.columns, strict=True))
        sign = _signs(arrays["option_type"]) if "option_type" in arrays else int(self._constants["option_type"])

        def column(name: str) -> Column:
            return _numbers(name, arrays[name]) if name in arrays else self._constants[name]

        return OptionColumns(batch.num_rows, sign, tuple(column(name) for name in self._arguments))


def price_schema(names: Sequence[str]) -> pa.Schema:
    return pa.schema([(name, pa.float64()) for name in names])


IMPLIED_SCHEMA = pa.schema([("implied_volatility", pa.float64()), ("error", pa.utf8())])


def price_batch(schema: pa.Schema, values: Mapping[str, NDArray[np.float64]]) -> pa.RecordBatch:
    return pa.record_batch([_finite(values[name]) for name in schema.names], schema=schema)


def reasons_of(inverse: Inverse) -> pa.Array:
    """A sentence for every status; null for 0, which says that there is a volatility."""
    sentences = {
        status: f"{name} must be {requirement}" for status, (name, requirement) in inverse.requirements.items()
    }
    return pa.array([sentences.get(status) for status in range(max(sentences) + 1)], pa.utf8())


def implied_batch(implied: ImpliedVolatilities, reasons: pa.Array) -> pa.RecordBatch:
    errors: pa.Array
    if implied.status.any():
        errors = pc.take(reasons, pa.array(implied.status))
        volatilities = pa.array(implied.volatility, mask=implied.status != 0)
    else:
        errors = pa.nulls(implied.status.size, pa.utf8())
        volatilities = pa.array(implied.volatility)
    return pa.record_batch([volatilities, errors], schema=IMPLIED_SCHEMA)


def slices(batch: pa.RecordBatch, rows: int = BATCH_ROWS) -> Iterable[pa.RecordBatch]:
    """Parts of so many rows, by default those whose answers fit a message."""
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def _finite(values: NDArray[np.float64]) -> pa.Array:
    """Without a copy; an infinite Greek is null."""
    if np.isfinite(values.sum()):
        return pa.array(values)
    return pa.array(values, mask=~np.isfinite(values))


def _constant(name: str, text: str) -> float | int:
    if name == "option_type":
        sign = {"call": 1, "put": -1, "1": 1, "-1": -1}.get(text)
        if sign is None:
            raise InvalidArgument(name, repr(text[:40]), REQUIREMENTS[Status.INVALID_OPTION_TYPE][1])
        return sign
    try:
        return float(text)
    except ValueError as error:
        raise InvalidArgument(name, repr(text[:40]), "a number") from error


def _signs(column: pa.Array) -> NDArray[np.int8]:
    """1, -1, and 0 for anything else."""
    if pa.types.is_dictionary(column.type):
        of_values = np.append(_signs(column.dictionary), np.int8(0))
        # A null takes the last entry.
        signs: NDArray[np.int8] = of_values[column.indices.cast(pa.int64()).fill_null(-1).to_numpy()]
        return signs
    if pa.types.is_int8(column.type):
        return np.asarray(column.fill_null(0).to_numpy(), np.int8)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        calls, puts = (
            pc.equal(column, name).fill_null(False).to_numpy(zero_copy_only=False).view(np.int8)
            for name in ("call", "put")
        )
        return np.asarray(calls - puts, np.int8)
    raise InvalidColumns("option_type", f"of type {column.type}; send utf8 or int8")


def _numbers(name: str, column: pa.Array) -> NDArray[np.float64]:
    if not pa.types.is_float64(column.type):
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            raise InvalidColumns(name, f"of type {column.type}; send float64")
        column = column.cast(pa.float64(), safe=False)
    if column.null_count:
        column = column.fill_null(np.nan)
    return np.asarray(column.to_numpy(), np.float64)
