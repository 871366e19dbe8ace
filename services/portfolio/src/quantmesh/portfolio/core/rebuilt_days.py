"""What the journal says was held of an instrument day by day, gathered window by window, and where to compare it."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from quantmesh.portfolio.core.held_days import HeldDay, HeldDays, by_quarter, in_columns, quarter_of


class InstrumentQuarter(NamedTuple):
    """An instrument's days of one quarter, by the first day of that."""

    symbol: str
    quarter: date


class QuarterSpan(NamedTuple):
    """In which snapshots a row of days is true: from one number to before another."""

    of: InstrumentQuarter
    from_number: int
    until_number: int


class KeptQuarter(NamedTuple):
    """A row of days; None where there is none."""

    of: InstrumentQuarter
    first_day: date | None
    held: HeldDays | None


@dataclass(frozen=True, slots=True)
class RebuiltDays:
    """Of one instrument. Past quarters are in columns, a tenth of the size; `newest` are the days of the last one."""

    past: Mapping[date, HeldDays] = field(default_factory=dict)
    newest: Sequence[HeldDay] = ()

    def then(self, later: Sequence[HeldDay]) -> "RebuiltDays":
        """With what a fold says that went on from one of these, which takes the place of that and of the later ones."""
        begin = quarter_of(later[0].day)
        joined = [*(each for each in self.of(begin) if each.day < later[0].day), *later]
        *past, (_, newest) = by_quarter(joined).items()
        before = {quarter: days for quarter, days in self.past.items() if quarter < begin}
        return RebuiltDays({**before, **{quarter: in_columns(days) for quarter, days in past}}, newest)

    def quarters(self) -> list[date]:
        """Ascending."""
        return [*self.past, *(quarter_of(each.day) for each in self.newest[:1])]

    def of(self, quarter: date) -> Sequence[HeldDay]:
        if quarter in self.past:
            return self.past[quarter].as_days()
        return self.newest if self.newest and quarter_of(self.newest[0].day) == quarter else ()

    def last_before(self, quarter: date) -> Sequence[HeldDay]:
        """One day, or none where it began to move later."""
        earlier = [each for each in self.quarters() if each < quarter]
        return self.of(earlier[-1])[-1:] if earlier else ()


def compared_at(spans: Iterable[QuarterSpan], numbers: Sequence[int]) -> dict[int, set[InstrumentQuarter]]:
    """Of the snapshots with `numbers`, ascending, those on both sides of where a row begins or ends."""
    found: defaultdict[int, set[InstrumentQuarter]] = defaultdict(set)
    for of, *bounds in spans:
        for bound in bounds:
            place = bisect_left(numbers, bound)
            for number in numbers[max(place - 1, 0) : place + 1]:
                found[number].add(of)
    return found
