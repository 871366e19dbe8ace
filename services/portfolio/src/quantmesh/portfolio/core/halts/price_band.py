"""The price-band breaker of one symbol (limit up, limit down).

After the plan of the US exchanges against extraordinary volatility: a price that stays outside a band around the
average of the last minutes is a limit state first, and a halt where it does not come back in time.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from quantmesh.portfolio.core.halts.model import Trip
from quantmesh.portfolio.core.numbers import ZERO, exactly, plain

_SHOWN = Decimal("0.000001")
_PERCENT = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class BandRule:
    """`width` is a fraction of the reference, to either side; all times are market time."""

    width: Decimal
    reference_window: timedelta
    limit_state: timedelta
    halt: timedelta


class PriceBand:
    """Told every price once, in order of market time; knows no clock.

    The reference is the mean of the prices inside the band in the window before, of the same day alone: overnight a
    price may jump. A price outside never moves its own reference.
    """

    def __init__(self, symbol: str, rule: BandRule) -> None:
        self._symbol = symbol
        self._rule = rule
        self._window: deque[tuple[datetime, Decimal]] = deque()
        self._sum = ZERO
        self._limit_since: datetime | None = None

    @property
    def in_limit_state(self) -> bool:
        """The last price was outside: nothing should trade at it."""
        return self._limit_since is not None

    @exactly
    def on_price(self, time: datetime, price: Decimal) -> Trip | None:
        """A trip where the price has now been outside for the limit state's time; the band then begins anew."""
        self._forget_before(time)
        if self._inside(price):
            self._limit_since = None
            self._window.append((time, price))
            self._sum += price
            return None
        if self._limit_since is None:
            self._limit_since = time
        if time - self._limit_since < self._rule.limit_state:
            return None
        trip = self._trip(time, price)
        self.restart()
        return trip

    def restart(self) -> None:
        """The next price is a reference of its own."""
        self._window.clear()
        self._sum = ZERO
        self._limit_since = None

    def _inside(self, price: Decimal) -> bool:
        count = len(self._window)
        return not count or abs(price * count - self._sum) <= self._rule.width * self._sum

    def _forget_before(self, time: datetime) -> None:
        """The last price stays while its day does, for a feed that is slower than the window."""
        window = self._window
        if window and (window[-1][0].date() != time.date() or time < window[-1][0]):
            self.restart()
        while len(window) > 1 and window[0][0] < time - self._rule.reference_window:
            self._sum -= window.popleft()[1]

    def _trip(self, time: datetime, price: Decimal) -> Trip:
        reference = self._sum / len(self._window)
        move = (price / reference - 1) * 100
        band = plain(self._rule.width * 100)
        minutes = plain(Decimal(self._rule.reference_window / timedelta(minutes=1)))
        cause = (
            f"{plain(price)} is {plain(abs(move).quantize(_PERCENT))} % {'above' if move > 0 else 'below'} the average"
            f" of {minutes} minutes, {plain(reference.quantize(_SHOWN))}; the band is {band} %"
        )
        return Trip(self._symbol, cause, time, time + self._rule.halt)
