"""Ticks as rows of Postgres' binary COPY, made by NumPy: one structured array instead of a loop over fields.

NUMERIC is written with five base-10000 digits, three before the point and two after it, which is what a multiple of
10^-8 below 10^12 needs; the server drops the zeros at either end.
"""

import numpy as np
from numpy.typing import NDArray

from quantmesh.market.core.ticks import CheckedTicks

HEADER = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
TRAILER = b"\xff\xff"
CHUNK_ROWS = 16_384
_POSTGRES_EPOCH_MICROS = 946_684_800_000_000  # 2000-01-01

_DIGITS = 5
_NUMERIC = [
    ("digits", ">i2"),
    ("weight", ">i2"),
    ("sign", ">i2"),
    ("scale", ">i2"),
    ("groups", ">i2", (_DIGITS,)),
]
_PRICES = ("price", "bid", "ask")
ROW = np.dtype(
    [("fields", ">i2"), ("series_length", ">i4"), ("series", ">i4"), ("time_length", ">i4"), ("time", ">i8")]
    + [field for name in _PRICES for field in ((f"{name}_length", ">i4"), (name, _NUMERIC))]
)


def encode_ticks(ticks: CheckedTicks, start: int, end: int) -> bytes:
    """Rows `start` to `end`, without header and trailer."""
    rows = np.empty(end - start, dtype=ROW)
    rows["fields"] = 2 + len(_PRICES)
    rows["series_length"], rows["time_length"] = 4, 8
    rows["series"] = ticks.series[start:end]
    rows["time"] = ticks.time_micros[start:end] - _POSTGRES_EPOCH_MICROS
    for name in _PRICES:
        rows[f"{name}_length"] = ROW[name].itemsize
        _fill(rows[name], getattr(ticks, name)[start:end])
    return rows.tobytes()


def _fill(field: NDArray[np.void], units: NDArray[np.int64]) -> None:
    field["digits"], field["weight"], field["sign"], field["scale"] = _DIGITS, 2, 0, 8
    groups = field["groups"]
    rest = units
    for place in range(_DIGITS - 1, 0, -1):
        rest, digit = np.divmod(rest, 10_000)
        groups[:, place] = digit
    groups[:, 0] = rest
