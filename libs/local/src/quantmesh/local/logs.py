"""The log files of the parts: kept small, and shown."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

MAX_BYTES = 10_000_000


def rotate(log: Path) -> None:
    """Copy a log that has grown large and empty it in place: the part that writes it appends, and goes on at the start.
    What it writes between the two steps is lost."""
    if log.exists() and log.stat().st_size > MAX_BYTES:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        with log.open("r+b") as file:
            file.truncate(0)


def tail(log: Path, lines: int) -> list[str]:
    """Whole ones, however long: a line holds a traceback."""
    with log.open("rb") as file:
        end, size = file.seek(0, 2), 400 * lines
        while True:
            file.seek(max(0, end - size))
            found = file.read(size).decode(errors="replace").splitlines()
            if len(found) > lines or size >= end:
                return found[-lines:]
            size *= 2


def follow(log: Path) -> Iterator[str]:
    """What is appended from now on, for ever; begins anew where the log is emptied."""
    with log.open("r", errors="replace") as file:
        file.seek(0, 2)
        while True:
            line = file.readline()
            if line:
                yield line.rstrip("\n")
                continue
            if log.stat().st_size < file.tell():
                file.seek(0)
            time.sleep(0.2)
