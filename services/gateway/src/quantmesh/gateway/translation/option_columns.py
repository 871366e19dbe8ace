"""Columns of options: JSON lists to an Arrow stream and back, in the shape that pricing reads (its README).

pyarrow is loaded on first use: it would take 40 MB and a fifth of the gateway's start.
"""

import io
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from quantmesh.chassis.errors import Unavailable
from quantmesh.gateway.http.models.implied_volatility import ImpliedVolatilityColumns
from quantmesh.gateway.http.models.options import PriceColumns

if TYPE_CHECKING:
    import pyarrow as pa

# A message holds at most 4 MiB; a piece stays well below it.
PIECE_BYTES = 1024 * 1024


def arrow_stream(columns: PriceColumns | ImpliedVolatilityColumns) -> bytes:
    """One record batch; a scalar travels in the schema's metadata and counts for every row."""
    import pyarrow as pa

    arrays: dict[str, pa.Array] = {}
    scalars: dict[str, str] = {}
    for name, value in columns:
        if isinstance(value, list):
            arrays[name] = pa.array(value, pa.utf8() if name == "option_type" else pa.float64())
        elif value is not None:
            scalars[name] = value if isinstance(value, str) else repr(float(value))
    batch = pa.record_batch(arrays).replace_schema_metadata(scalars)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def pieces(stream: bytes) -> Iterator[bytes]:
    for start in range(0, len(stream), PIECE_BYTES):
        yield stream[start : start + PIECE_BYTES]


def priced_columns(stream: bytes) -> dict[str, list[float | None]]:
    table = _table(stream)
    return {name: [_finite(value) for value in table.column(name).to_pylist()] for name in table.column_names}


def implied_columns(stream: bytes) -> tuple[list[float | None], list[dict[str, Any]]]:
    """The volatilities, and a reason for each row that has none."""
    table = _table(stream)
    values = [_finite(value) for value in table.column("implied_volatility").to_pylist()]
    reasons = table.column("error").to_pylist()
    errors = [
        {"index": index, "reason": reason or "no volatility reproduces this price"}
        for index, (value, reason) in enumerate(zip(values, reasons, strict=True))
        if value is None
    ]
    return values, errors


def _table(stream: bytes) -> "pa.Table":
    import pyarrow as pa

    try:
        with pa.ipc.open_stream(stream) as reader:
            return reader.read_all()
    except pa.ArrowInvalid as error:
        msg = "pricing broke off its answer."
        raise Unavailable(msg, retry_after_seconds=1.0) from error


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
