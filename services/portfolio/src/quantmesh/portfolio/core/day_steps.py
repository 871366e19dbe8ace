"""What stays as it is from one day until the next: of many instruments at once, at the ends of given days."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from quantmesh.portfolio.core.held_days import Days

# So many steps at once that what is computed on the way stays in the processor's cache, and needs no memory of its own.
_AT_ONCE = 50_000
# (owners, days): the place of the step on which each stands at the end of each day; -1 before the first.
Standing = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class DaySteps:
    """On `days[i]` the one of `count` owners that is at place `owners[i]` took its step `i`.

    Of one owner each step takes the place of all those before it, from its day on.
    """

    count: int
    owners: NDArray[np.intp]
    days: Days

    def stretches(self) -> Iterator[slice]:
        """Of all steps, one after the other."""
        for begin in range(0, len(self.days), _AT_ONCE):
            yield slice(begin, begin + _AT_ONCE)

    def at(self, days: Days) -> Standing:
        """At the end of each of `days`, which ascend."""
        found: Standing = np.full((self.count, len(days)), -1, dtype=np.int32)
        if not found.size or not len(self.days):
            return found
        first, last = int(days[0]), int(days[-1])
        place_of = np.searchsorted(days, np.arange(first, last + 1))
        written = found.ravel()
        for some in self.stretches():
            is_counted = self.days[some] <= last
            counted = slice(None) if is_counted.all() else np.flatnonzero(is_counted)
            places = place_of.take(self.days[some][counted] - first, mode="clip")
            # Of those that fall together the last is the one that is written last.
            steps = np.arange(some.start, some.start + len(is_counted), dtype=np.int32)
            written[self.owners[some][counted] * len(days) + places] = steps[counted]
        return np.maximum.accumulate(found, axis=1, out=found)


def places_among(days: Days, sought: Days) -> NDArray[np.intp]:
    """Of each of `sought` its place among `days`, which ascend; -1 where it is none of them."""
    if not len(days):
        return np.full(len(sought), -1, dtype=np.intp)
    first, last = int(days[0]), int(days[-1])
    # By day looked up, which takes a tenth of a search for each; a day more at either end stands for those beyond.
    by_day = np.full(last - first + 3, -1, dtype=np.intp)
    by_day[days - first + 1] = np.arange(len(days))
    return by_day[np.clip(sought, first - 1, last + 1) - first + 1]


def days_among(parts: Sequence[Days], first: date, last: date) -> Days:
    """Each day from `first` to `last` that is in any of `parts`, once, ascending."""
    begin, end = first.toordinal(), last.toordinal()
    told = np.concatenate([np.zeros(0, np.int64), *parts])
    told = told[(told >= begin) & (told <= end)] - begin
    is_told = np.zeros(max(end - begin + 1, 0), dtype=np.bool_)
    is_told[told] = True
    return np.flatnonzero(is_told) + begin


def steps_of(rows: Sequence[Days]) -> DaySteps:
    """Of one owner each."""
    owners = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    return DaySteps(len(rows), owners, np.concatenate([np.zeros(0, np.int64), *rows]))
