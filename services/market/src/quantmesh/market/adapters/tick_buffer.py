"""Gathers ticks of a feed into one batch."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quantmesh.market.core.ticks import TickBatch

Int64s = NDArray[np.int64]
# Milliseconds until the year 2109.
_TIME_BITS = 42


class TickBuffer:
    """A batch's sequence is the epoch and the market time of its last tick: it grows across restarts and rewinds."""

    def __init__(self, feed: str, epoch: int) -> None:
        self._feed = feed
        self._epoch = epoch
        self._symbols: Sequence[str] = ()
        self._rows: list[tuple[int, Int64s, Int64s, Int64s]] = []

    def add(self, symbols: Sequence[str], time_micros: int, price: Int64s, bid: Int64s, ask: Int64s) -> None:
        """One tick of each of `symbols`, which stay the same until the batch is taken."""
        self._symbols = symbols
        self._rows.append((time_micros, price, bid, ask))

    def take(self) -> TickBatch | None:
        """All since the last time; None where there are none."""
        if not self._rows or not self._symbols:
            return None
        times, prices, bids, asks = zip(*self._rows, strict=True)
        self._rows = []
        count = len(self._symbols)
        return TickBatch(
            self._feed,
            (self._epoch << _TIME_BITS) + times[-1] // 1_000,
            self._symbols,
            np.tile(np.arange(count, dtype=np.uint16), len(times)),
            np.repeat(np.array(times, dtype=np.int64), count),
            np.concatenate(prices),
            np.concatenate(bids),
            np.concatenate(asks),
        )
