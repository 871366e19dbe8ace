"""What one currency costs in another, on a day or over time."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from quantmesh.market.core.dates import parse_date, parse_period
from quantmesh.market.core.errors import InvalidRequest
from quantmesh.market.core.exchange_rates import CurrencyPair, ExchangeRate, published_by
from quantmesh.market.core.ports import Market

MAX_PAIRS = 100
_CODE = re.compile(r"[A-Z]{3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class FoundRates:
    """`missing`: pairs without a rate by then, and those of currencies that nobody quotes."""

    rates: list[ExchangeRate]
    missing: list[CurrencyPair]


def get_exchange_rates(
    market: Market, pairs: Sequence[CurrencyPair], *, day: str = "", as_of: datetime | None = None
) -> FoundRates:
    """The last rate published on or before `day` (empty: the last one), as known at `as_of`."""
    wanted = _checked(pairs)
    at = market.true_at(as_of)
    published = published_by(at)
    asked_for = parse_date("date", day) or at.date()
    found = {pair: market.rates.last(pair, min(asked_for, published), asked_for) for pair in wanted}
    return FoundRates(
        [rate for rate in found.values() if rate is not None], [pair for pair, rate in found.items() if rate is None]
    )


def get_exchange_rate_history(
    market: Market, pairs: Sequence[CurrencyPair], *, start: str = "", end: str = "", as_of: datetime | None = None
) -> Mapping[CurrencyPair, Sequence[tuple[date, Decimal]]]:
    """Per pair the rates by day, beginning with the one that holds on `start`; without pairs that have none."""
    first, last = parse_period(start, end)
    published = published_by(market.true_at(as_of))
    series = {pair: market.rates.history(pair, first, min(last, published)) for pair in _checked(pairs)}
    return {pair: rates for pair, rates in series.items() if rates}


def _checked(pairs: Sequence[CurrencyPair]) -> list[CurrencyPair]:
    """Each once, in the order of their first mention."""
    unique = list(dict.fromkeys(pairs))
    if not 0 < len(unique) <= MAX_PAIRS:
        raise InvalidRequest("pairs", f"{len(unique)} pairs; ask for 1 to {MAX_PAIRS} at once")
    for pair in unique:
        for field, code in (("base", pair.base), ("quote", pair.quote)):
            if not _CODE.fullmatch(code):
                raise InvalidRequest(field, f"{code[:8]!r} is not an ISO 4217 code such as USD")
    return unique
