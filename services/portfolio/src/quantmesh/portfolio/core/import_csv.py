"""A CSV file of transactions: every row becomes an input, or a reason why not."""

import csv
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from quantmesh.chassis.errors import QuantmeshError
from quantmesh.portfolio.core.errors import InvalidTransaction, UnreadableImport
from quantmesh.portfolio.core.model import PositionSide, TransactionInput, TransactionType
from quantmesh.portfolio.core.numbers import parse
from quantmesh.portfolio.core.times import parse_rfc3339

REQUIRED_COLUMNS = ("type", "executed_at")
COLUMNS = (
    "type", "symbol", "quantity", "price", "amount", "fee", "currency", "executed_at", "note", "split_ratio", "side",
)  # fmt: skip
ROW_LIMIT = 100_000
Named = TypeVar("Named", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Row:
    """`line` is where the row begins in the file, the header being on line 1."""

    line: int
    input: TransactionInput


@dataclass(frozen=True, slots=True)
class RejectedRow:
    line: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReadRows:
    """The rows that can be read and what is wrong with the others, both in the order of the file."""

    columns: list[str]
    rows: list[Row]
    rejected: list[RejectedRow]


def check_header(content: bytes) -> None:
    """What can be said of a file before its rows are read; raises UnreadableImport."""
    _open(content)


def read_rows(content: bytes) -> ReadRows:
    """Columns come in any order, a byte order mark and either line end are fine, blank lines are skipped.

    Raises UnreadableImport where the text, the header or the size is wrong, since then no row can be trusted.
    """
    columns, lines = _open(content)
    found = ReadRows(columns, [], [])
    for count, (line, cells) in enumerate(lines, start=1):
        if count > ROW_LIMIT:
            raise UnreadableImport(f"it has more than {ROW_LIMIT} rows; split it")
        _read_row(line, columns, cells, found.rows, found.rejected)
    return found


def _open(content: bytes) -> tuple[list[str], "_NumberedRows"]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableImport(f"byte {error.start} is not UTF-8") from error
    lines = _NumberedRows(text)
    header = next(lines, None)
    if header is None:
        raise UnreadableImport("it is empty")
    return _columns(header[1]), lines


class _NumberedRows:
    """Each row with the line it begins on; a quoted note may span several."""

    def __init__(self, text: str) -> None:
        self._reader = csv.reader(io.StringIO(text, newline=""), strict=True)

    def __iter__(self) -> "_NumberedRows":
        return self

    def __next__(self) -> tuple[int, list[str]]:
        while True:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except csv.Error as error:
                raise UnreadableImport(f"it is not CSV from line {line} on: {error}") from error
            if any(cell.strip() for cell in cells):
                return line, cells


def _columns(cells: Sequence[str]) -> list[str]:
    columns = [cell.strip().lower() for cell in cells]
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown:
        raise UnreadableImport(f"unknown column {unknown[0][:40]!r}; the columns are {', '.join(COLUMNS)}")
    if len(set(columns)) < len(columns):
        raise UnreadableImport("a column is there twice")
    missing = [name for name in REQUIRED_COLUMNS if name not in columns]
    if missing:
        raise UnreadableImport(f"the column {missing[0]!r} is missing")
    return columns


def _read_row(
    line: int, columns: Sequence[str], cells: Sequence[str], accepted: list[Row], rejected: list[RejectedRow]
) -> None:
    if len(cells) != len(columns):
        rejected.append(RejectedRow(line, "", f"has {len(cells)} cells where the header has {len(columns)}"))
        return
    parsed: dict[str, Any] = {}
    failures: list[RejectedRow] = []
    for name, cell in zip(columns, cells, strict=True):
        text = cell.strip()
        if text:
            parser = _PARSERS.get(name)
            try:
                parsed[name] = text if parser is None else parser(text)
            except ValueError as error:
                failures.append(RejectedRow(line, name, f"{text[:40]!r} is {error}"))
        elif name in REQUIRED_COLUMNS:
            failures.append(RejectedRow(line, name, "is missing"))
    if failures:
        rejected.extend(failures)
        return
    try:
        accepted.append(Row(line, TransactionInput(**parsed).checked()))
    except InvalidTransaction as error:
        rejected.extend(refused(line, error))


def refused(line: int, error: QuantmeshError) -> list[RejectedRow]:
    """One rejection per violation, the field named as the column is."""
    return [RejectedRow(line, violation.field, violation.description) for violation in error.violations]


def _one_of(kind: type[Named], unnamed: Collection[Named] = ()) -> Callable[[str], Named]:
    """`unnamed` are refused later, with a reason of their own."""
    members = {member.value: member for member in kind}

    def read(text: str) -> Named:
        member = members.get(text.lower())
        if member is None:
            msg = f"none of {', '.join(member for member in kind if member not in unnamed)}"
            raise ValueError(msg)
        return member

    return read


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "type": _one_of(TransactionType, {TransactionType.REVERSAL}),
    "side": _one_of(PositionSide),
    "executed_at": parse_rfc3339,
    **dict.fromkeys(("quantity", "price", "amount", "fee", "split_ratio"), parse),
}
