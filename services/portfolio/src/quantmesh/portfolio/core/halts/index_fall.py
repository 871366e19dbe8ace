"""The market-wide breaker: an index that falls from its last close by one level after another.

Its levels are those of the US exchanges (7, 13 and 20 %): each of the first ones halts the market once a day for some
minutes, the last one for the rest of the day.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from quantmesh.portfolio.core.halts.model import Trip
from quantmesh.portfolio.core.numbers import ZERO, exactly, plain

_PERCENT = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class IndexRule:
    """`levels` are fractions that grow."""

    symbol: str
    levels: tuple[Decimal, ...]
    halt: timedelta

    def __post_init__(self) -> None:
        if not self.levels or list(self.levels) != sorted(set(self.levels)) or not ZERO < self.levels[0] < 1:
            shown = ", ".join(map(plain, self.levels)) or "none"
            msg = f"the levels of the index's fall must be fractions between 0 and 1 that grow, not {shown}"
            raise ValueError(msg)


class IndexFall:
    """Told every price of the index once, in order of market time, with the close it is measured from."""

    def __init__(self, rule: IndexRule, *, day: date | None = None, taken: int = 0) -> None:
        """Of `day` the first `taken` levels have halted the market already."""
        self._rule = rule
        self._day = day
        self._taken = taken

    @exactly
    def on_price(self, moment: datetime, price: Decimal, last_close: Decimal) -> Trip | None:
        day = moment.date()
        if day != self._day:
            self._day, self._taken = day, 0
        fall = 1 - price / last_close
        reached = sum(fall >= level for level in self._rule.levels)
        if reached <= self._taken:
            return None
        self._taken = reached
        last = reached == len(self._rule.levels)
        lifts_at = datetime.combine(day + timedelta(days=1), time(), UTC) if last else moment + self._rule.halt
        cause = (
            f"{self._rule.symbol} at {plain(price)} is {plain((fall * 100).quantize(_PERCENT))} % below its last close"
            f" of {plain(last_close)}: level {reached} of {len(self._rule.levels)}"
        )
        return Trip("", cause, moment, lifts_at, reached)
