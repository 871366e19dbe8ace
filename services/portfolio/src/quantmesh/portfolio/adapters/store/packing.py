"""Columns of exact decimals as bytes: how many places, how wide each number is, and the numbers in a row."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from quantmesh.portfolio.core.scaled import Scaled, Units, integers, joined

# Of the smallest of these that all fit; those that fit none are text, parted by commas.
_WIDTHS = (1, 2, 4, 8)
_TEXT = 0
_HEAD_SIZE = 2
Counts: TypeAlias = NDArray[np.intp]


def packed(column: Scaled) -> bytes:
    units = column.units
    if units.dtype == object:
        return bytes((column.places, _TEXT)) + ",".join(map(str, units.tolist())).encode()
    width = next(each for each in _WIDTHS if not units.size or _fits(units, each))
    return bytes((column.places, width)) + units.astype(f"<i{width}").tobytes()


def unpacked(column: bytes) -> Scaled:
    return unpacked_in_turn(column, len(column).to_bytes(4, "big"))[0]


def in_a_row(*columns: str) -> str:
    """SQL that answers, of all rows at once, each of these columns of bytes, and how long it is in each row.

    A row for itself costs more to send and to take than what is in it.
    """
    return ", ".join(
        f"string_agg({column}, '') AS {column}, string_agg(int4send(octet_length({column})), '') AS {column}_lengths"
        for column in columns
    )


def unpacked_in_turn(
    contents: bytes, lengths: bytes, rows: "NDArray[np.intp] | slice" = slice(None)
) -> tuple[Scaled, Counts]:
    """Of what `in_a_row` answers: the numbers of these `rows`, one after the other, and how many each has."""
    sizes = np.frombuffer(lengths, ">i4").astype(np.intp)
    ends = sizes.cumsum()[rows]
    begins = ends - sizes[rows]
    octets = np.frombuffer(contents, np.uint8)
    kinds = octets[begins].astype(np.intp) * 256 + octets[begins + 1]
    counts = np.zeros(len(kinds), dtype=np.intp)
    found: dict[int, Scaled] = {}
    for kind in np.unique(kinds).tolist():
        places, width = divmod(kind, 256)
        is_kind = kinds == kind
        bounds = zip((begins[is_kind] + _HEAD_SIZE).tolist(), ends[is_kind].tolist(), strict=True)
        units, counts[is_kind] = _read([contents[begin:end] for begin, end in bounds], width)
        found[kind] = Scaled(units, places)
    if len(found) < 2:
        return joined([*found.values()]), counts
    places = max(each.places for each in found.values())
    units_of = {kind: each.units_at(places) for kind, each in found.items()}
    # Those of a kind are in their order.
    of_kinds = np.repeat(kinds, counts)
    units = np.empty(len(of_kinds), np.result_type(*units_of.values()))
    for kind, of_kind in units_of.items():
        units[of_kinds == kind] = of_kind
    return Scaled(units, places), counts


def _read(contents: Sequence[bytes], width: int) -> tuple[Units, list[int]]:
    """All numbers, and how many are in each."""
    if width == _TEXT:
        rows = [content.split(b",") for content in contents]
        return integers([int(number) for row in rows for number in row]), [*map(len, rows)]
    counts = [len(content) // width for content in contents]
    return np.frombuffer(b"".join(contents), f"<i{width}").astype(np.int64), counts


def _fits(units: Units, width: int) -> bool:
    limits = np.iinfo(f"i{width}")
    return bool(limits.min <= units.min() and units.max() <= limits.max)
