"""Greeks by underlying, concentration, and the days that selling takes (RSK-4)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from quantmesh.quant import exposure
from quantmesh.risk.core.domain import quant_domain
from quantmesh.risk.core.errors import OutOfDomain, require_symbol
from quantmesh.risk.core.model import Book, History
from quantmesh.risk.core.priced_book import priced

PARTICIPATION_RATE = 0.2
# Over so many days up to the last close, some 21 sessions, market's volumes are averaged.
VOLUME_PERIOD = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class BookExposure:
    """`concentration` is of absolute dollar deltas, None where all are 0; `liquidity` of deltas, None where none of
    `daily_volumes` is known."""

    greeks: exposure.AggregatedGreeks
    concentration: exposure.Concentration | None
    liquidity: exposure.Liquidity | None
    daily_volumes: Mapping[str, float]


def exposure_of(
    book: Book, history: History, rate: float, daily_volumes: Mapping[str, float], participation_rate: float
) -> BookExposure:
    """An underlying whose volume is not known counts as one that never trades."""
    with quant_domain():
        greeks = exposure.aggregated_greeks(priced(book, history, rate))
        concentration = exposure.concentration(greeks.dollar_delta) if np.any(greeks.dollar_delta != 0.0) else None
        liquidity = None
        if daily_volumes:
            volumes = [daily_volumes.get(symbol, 0.0) for symbol in history.symbols]
            liquidity = exposure.liquidity(greeks.delta, history.last, volumes, participation_rate=participation_rate)
    return BookExposure(greeks, concentration, liquidity, daily_volumes)


def symbols_without(daily_volumes: Mapping[str, float], symbols: Sequence[str]) -> list[str]:
    """Those whose volume is not given. Raises UnknownChoice for a volume of another symbol, and OutOfDomain."""
    for symbol, volume in daily_volumes.items():
        require_symbol(symbol, symbols, "daily_volumes")
        if not 0.0 <= volume < math.inf:
            raise OutOfDomain(f"daily_volumes.{symbol}", volume, "a finite number, 0 or more")
    return [symbol for symbol in symbols if symbol not in daily_volumes]
