"""Greeks by underlying, concentration, and the days that selling takes (RSK-4)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from quantmesh.quant import exposure
from quantmesh.risk.core.domain import quant_domain
from quantmesh.risk.core.errors import require_symbol
from quantmesh.risk.core.model import Book, History
from quantmesh.risk.core.priced_book import priced

PARTICIPATION_RATE = 0.2


@dataclass(frozen=True, slots=True)
class BookExposure:
    """`concentration` is of absolute dollar deltas, None where all are 0; `liquidity` of deltas, None without
    volumes."""

    greeks: exposure.AggregatedGreeks
    concentration: exposure.Concentration | None
    liquidity: exposure.Liquidity | None


def exposure_of(
    book: Book, history: History, rate: float, daily_volumes: Mapping[str, float], participation_rate: float
) -> BookExposure:
    """An underlying whose volume is not given counts as one that never trades. Raises UnknownChoice for another."""
    for symbol in daily_volumes:
        require_symbol(symbol, history.symbols, "daily_volumes")
    with quant_domain():
        greeks = exposure.aggregated_greeks(priced(book, history, rate))
        concentration = exposure.concentration(greeks.dollar_delta) if np.any(greeks.dollar_delta != 0.0) else None
        liquidity = None
        if daily_volumes:
            volumes = [daily_volumes.get(symbol, 0.0) for symbol in history.symbols]
            liquidity = exposure.liquidity(greeks.delta, history.last, volumes, participation_rate=participation_rate)
    return BookExposure(greeks, concentration, liquidity)
