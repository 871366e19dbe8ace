"""The prices of one replayed session, in whole units of 10^-8."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from quantmesh.market.core.common_closes import CloseSeries
from quantmesh.market.core.model import Asset
from quantmesh.market.core.price_path import session_path, volatility_daily
from quantmesh.market.core.ticks import PRICE_SCALE

_UNIT = 10**PRICE_SCALE
_BASIS_POINTS = 10_000
_VOLATILITY_DAYS = 21
# What a price may come to on its way: ticks are kept below 10^12, and their units have to fit 64 bits with the ask.
_LARGEST_PRICE = 1e10


@dataclass(frozen=True, slots=True)
class SessionPrices:
    """`prices` is (symbols, market seconds + 1); each is a whole number of its symbol's `tick_units`."""

    symbols: tuple[str, ...]
    prices: NDArray[np.int64]
    tick_units: NDArray[np.int64]

    def at(
        self, seconds: float, half_spread_bps: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Price, bid and ask of every symbol; bid and ask are rounded to the tick, away from the price."""
        price = self.prices[:, min(int(seconds), self.prices.shape[1] - 1)]
        half = price * (half_spread_bps / _BASIS_POINTS)
        bid = np.floor((price - half) / self.tick_units).astype(np.int64) * self.tick_units
        ask = np.ceil((price + half) / self.tick_units).astype(np.int64) * self.tick_units
        return price, np.maximum(bid, np.minimum(price, self.tick_units)), ask


def session_prices(
    assets: Sequence[Asset], closes: Mapping[str, CloseSeries], session: date, seconds: int
) -> SessionPrices:
    """Those of `assets` that have a close on `session` and one before it, and whose prices ticks can hold."""
    symbols, rows, tick_units = [], [], []
    for asset in assets:
        series = closes[asset.symbol]
        at = int(np.searchsorted(series.days, session.toordinal()))
        if not 0 < at < len(series.days) or series.days[at] != session.toordinal():
            continue
        before = series.closes[max(0, at - _VOLATILITY_DAYS) : at]
        path = session_path(
            asset.symbol,
            session,
            float(before[-1]),
            float(series.closes[at]),
            volatility_daily(before.tolist()),
            seconds,
        )
        if path.max() > _LARGEST_PRICE:
            continue
        tick = int(asset.listing.tick_size * _UNIT)
        symbols.append(asset.symbol)
        tick_units.append(tick)
        rows.append(np.maximum(np.rint(path * (_UNIT / tick)).astype(np.int64), 1) * tick)
    empty = np.empty((0, seconds + 1), dtype=np.int64)
    return SessionPrices(tuple(symbols), np.stack(rows) if rows else empty, np.array(tick_units, dtype=np.int64))
