"""Weeks and months from days."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby

from quantmesh.market.core.model import Bar, Interval


def aggregate_bars(days: Sequence[Bar], interval: Interval) -> list[Bar]:
    """Open of the first day, high and low of all, close of the last, volumes added; dated by the last day.

    A value is absent where a day lacks it. The period that is still going on has the days known so far.
    """
    if interval is Interval.DAY:
        return list(days)
    return [_merge(list(group)) for _period, group in groupby(days, key=lambda bar: period_start(bar.day, interval))]


def period_start(day: date, interval: Interval) -> date:
    """The Monday of the week, the first of the month."""
    if interval is Interval.WEEK:
        return date.fromordinal(day.toordinal() - day.weekday())
    return day.replace(day=1) if interval is Interval.MONTH else day


def _merge(days: Sequence[Bar]) -> Bar:
    highs, lows, volumes = (_complete(getattr(day, name) for day in days) for name in ("high", "low", "volume"))
    return Bar(
        days[-1].day,
        days[-1].time,
        days[-1].close,
        days[0].open,
        max(highs) if highs else None,
        min(lows) if lows else None,
        sum(volumes, Decimal(0)) if volumes else None,
    )


def _complete(values: Iterable[Decimal | None]) -> list[Decimal]:
    """Empty where one is missing."""
    found = list(values)
    present = [value for value in found if value is not None]
    return present if len(present) == len(found) else []
