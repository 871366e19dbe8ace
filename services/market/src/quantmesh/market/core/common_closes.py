"""Closes of many symbols on the days that all of them have."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class CloseSeries:
    """All closes of one asset, by day: ordinals of dates, microseconds from which each is known, prices."""

    days: NDArray[np.int32]
    known_from: NDArray[np.int64]
    closes: NDArray[np.float64]

    def known(self, at_micros: int) -> "CloseSeries":
        count = int(np.searchsorted(self.known_from, at_micros, side="right"))
        return CloseSeries(self.days[:count], self.known_from[:count], self.closes[:count])

    def between(self, first: date, last: date) -> "CloseSeries":
        """Both included."""
        begin, end = _bounds(self.days, first, last)
        return CloseSeries(self.days[begin:end], self.known_from[begin:end], self.closes[begin:end])


@dataclass(frozen=True, slots=True)
class CommonCloses:
    """`closes` is (symbols, days); `known_from` is when the last of them became known."""

    days: NDArray[np.int32]
    closes: NDArray[np.float64]
    known_from: int


def common_closes(
    series: Sequence[CloseSeries],
    at_micros: int,
    *,
    observations: int = 0,
    start: date = date.min,
    end: date = date.max,
) -> CommonCloses | None:
    """The last `observations` (0: all) common days within start and end, as known at `at_micros`; None: not one."""
    known = [one.known(at_micros) for one in series]
    days = known[0].days
    for one in known[1:]:
        # Most series share one calendar, and then this comparison spares the sort.
        if not np.array_equal(days, one.days):
            days = np.intersect1d(days, one.days, assume_unique=True)
    first, last = _bounds(days, start, end)
    if observations:
        first = max(first, last - observations)
    days = days[first:last]
    if not len(days):
        return None
    rows = [np.searchsorted(one.days, days) for one in known]
    return CommonCloses(
        days,
        np.stack([one.closes[at] for one, at in zip(known, rows, strict=True)]),
        max(int(one.known_from[at[-1]]) for one, at in zip(known, rows, strict=True)),
    )


def _bounds(days: NDArray[np.int32], first: date, last: date) -> tuple[int, int]:
    """Where the days from `first` to `last` begin and end."""
    begin, end = np.searchsorted(days, [first.toordinal(), last.toordinal() + 1]).tolist()
    return begin, end
