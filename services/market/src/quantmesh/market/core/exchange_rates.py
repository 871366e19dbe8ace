"""Reference rates of the European Central Bank: what a euro cost in each currency, and the rates crossed from that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

SOURCE = "ecb"
EURO = "EUR"
# Rates are whole multiples of 10^-8 of a currency.
RATE_SCALE = 8
STALE_AFTER_DAYS = 5
_PUBLISHED_AT = time(16)
_FRANKFURT = ZoneInfo("Europe/Berlin")
_STORED = Decimal("1e-18")
_EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True)
class CurrencyPair:
    """Its rate says how much of `quote` one unit of `base` costs."""

    base: str
    quote: str


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """`day` is when it was published; `stale`: more than five days before the day that was asked for."""

    pair: CurrencyPair
    rate: Decimal
    day: date
    stale: bool


class ReferenceRates:
    """`days` are ordinals of dates in order; so many `units` cost one euro that day, 0: no rate was published."""

    def __init__(self, days: NDArray[np.int32], units: Mapping[str, NDArray[np.int64]]) -> None:
        self._days = days
        self._units = {**units, EURO: np.full(len(days), 10**RATE_SCALE, dtype=np.int64)}

    def last(self, pair: CurrencyPair, day: date, asked_for: date) -> ExchangeRate | None:
        """The last rate published on or before `day`."""
        found = self._published(pair, int(np.searchsorted(self._days, day.toordinal(), side="right")))
        if not len(found):
            return None
        published = date.fromordinal(int(self._days[found[-1]]))
        stale = asked_for - published > timedelta(STALE_AFTER_DAYS)
        return ExchangeRate(pair, self._cross(pair, int(found[-1])), published, stale)

    def history(self, pair: CurrencyPair, start: date, end: date) -> Sequence[tuple[date, Decimal]]:
        """The rates published from `start` to `end`, and the one before where none was on `start` itself."""
        found = self._published(pair, int(np.searchsorted(self._days, end.toordinal(), side="right")))
        first = int(np.searchsorted(self._days[found], start.toordinal(), side="right")) - 1
        return [(date.fromordinal(int(self._days[at])), self._cross(pair, int(at))) for at in found[max(first, 0) :]]

    def _published(self, pair: CurrencyPair, end: int) -> NDArray[np.intp]:
        """Where, before `end`, both currencies have a rate."""
        if pair.base not in self._units or pair.quote not in self._units:
            return np.empty(0, dtype=np.intp)
        return np.flatnonzero((self._units[pair.base][:end] > 0) & (self._units[pair.quote][:end] > 0))

    def _cross(self, pair: CurrencyPair, at: int) -> Decimal:
        """Both legs through the euro, rounded half to even to 18 places."""
        quote, base = (Decimal(int(self._units[code][at])) for code in (pair.quote, pair.base))
        return _EXACT.divide(quote, base).quantize(_STORED, context=_EXACT).normalize(_EXACT)


def published_by(moment: datetime) -> date:
    """The last date whose rates can be known: they appear at four in the afternoon in Frankfurt."""
    try:
        local = moment.astimezone(_FRANKFURT)
    except OverflowError:
        # There it is the year 10000 already.
        return date.max
    if local.time() >= _PUBLISHED_AT or local.date() == date.min:
        return local.date()
    return local.date() - timedelta(1)
