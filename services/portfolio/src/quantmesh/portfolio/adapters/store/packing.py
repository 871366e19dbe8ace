"""Columns of exact decimals as bytes: how many places, how wide each number is, and the numbers in a row."""

from collections.abc import Sequence
from itertools import compress, pairwise
from operator import itemgetter

import numpy as np

from quantmesh.portfolio.core.scaled import Scaled, Units, integers, joined

# Of the smallest of these that all fit; those that fit none are text, parted by commas.
_WIDTHS = (1, 2, 4, 8)
_TEXT = 0
_HEAD, _CONTENT = itemgetter(slice(2)), itemgetter(slice(2, None))


def packed(column: Scaled) -> bytes:
    units = column.units
    if units.dtype == object:
        return bytes((column.places, _TEXT)) + ",".join(map(str, units.tolist())).encode()
    width = next(each for each in _WIDTHS if not units.size or _fits(units, each))
    return bytes((column.places, width)) + units.astype(f"<i{width}").tobytes()


def unpacked(columns: Sequence[bytes]) -> Scaled:
    """One after the other."""
    heads, contents = [*map(_HEAD, columns)], [*map(_CONTENT, columns)]
    kinds = {head: number for number, head in enumerate(dict.fromkeys(heads))}
    if len(kinds) < 2:
        return joined([_read(kind, contents) for kind in kinds])
    places = max(kind[0] for kind in kinds)
    parts = [_read(kind, [*compress(contents, map(kind.__eq__, heads))]).units_at(places) for kind in kinds]
    # Those of a kind are in their order.
    of_kinds = np.repeat(np.array([kinds[head] for head in heads], dtype=np.int16), counts_of(columns))
    units = np.empty(len(of_kinds), np.result_type(*parts))
    for number, part in enumerate(parts):
        units[of_kinds == number] = part
    return Scaled(units, places)


def counts_of(columns: Sequence[bytes]) -> list[int]:
    """How many numbers each has."""
    return [column.count(b",", 2) + 1 if column[1] == _TEXT else (len(column) - 2) // column[1] for column in columns]


def in_a_row(*columns: str) -> str:
    """SQL that answers, of all rows at once, each of these columns of bytes and how long it is in each; see `apart`.

    A row for itself costs more to send and to take than what is in it.
    """
    return ", ".join(
        f"string_agg({column}, '') AS {column}, string_agg(int4send(octet_length({column})), '') AS {column}_lengths"
        for column in columns
    )


def apart(contents: bytes, lengths: bytes) -> list[bytes]:
    """Row by row."""
    ends = np.frombuffer(lengths, ">i4").cumsum().tolist()
    return [contents[begin:end] for begin, end in pairwise((0, *ends))]


def _read(kind: bytes, contents: Sequence[bytes]) -> Scaled:
    places, width = kind
    if width == _TEXT:
        return Scaled(integers([int(number) for content in contents for number in content.split(b",")]), places)
    return Scaled(np.frombuffer(b"".join(contents), f"<i{width}").astype(np.int64), places)


def _fits(units: Units, width: int) -> bool:
    limits = np.iinfo(f"i{width}")
    return bool(limits.min <= units.min() and units.max() <= limits.max)
