"""Ticks in columns: checked together, since a feed brings hundreds of thousands of them a second."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantmesh.market.core.errors import InvalidTicks
from quantmesh.market.core.model import Rejection

# Prices are whole multiples of 10^-8: exact, and enough for what exchanges quote.
PRICE_SCALE = 8
MAX_TICKS = 1_000_000
_SHOWN_REJECTIONS = 100

Int64s = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TickBatch:
    """`symbol_index` (uint16) points into `symbols`; times are microseconds since 1970, prices in units of 10^-8."""

    feed: str
    sequence: int
    symbols: Sequence[str]
    symbol_index: NDArray[np.uint16]
    time_micros: Int64s
    price: Int64s
    bid: Int64s
    ask: Int64s

    def __post_init__(self) -> None:
        count = len(self.symbol_index)
        if not 0 < count <= MAX_TICKS:
            field, description = "symbol_index", f"holds {count} ticks; a batch has 1 to {MAX_TICKS}"
            raise InvalidTicks(field, description)
        for name in ("time_micros", "price", "bid", "ask"):
            if len(getattr(self, name)) != count:
                raise InvalidTicks(name, f"holds {len(getattr(self, name))} values for {count} ticks")


@dataclass(frozen=True, slots=True)
class CheckedTicks:
    """The good ticks, under the numbers of their series; `rejections` shows the first of the `rejected`."""

    series: NDArray[np.int32]
    time_micros: Int64s
    price: Int64s
    bid: Int64s
    ask: Int64s
    rejected: int
    rejections: list[Rejection]


def check_ticks(batch: TickBatch, series_of: Mapping[str, int], not_before: int, not_after: int) -> CheckedTicks:
    """`not_before` and `not_after` are microseconds of market time, both inclusive."""
    # One entry more, for indices that point beyond the symbols.
    table = np.array([*(series_of.get(symbol, -1) for symbol in batch.symbols), -1], dtype=np.int32)
    series = table[np.minimum(batch.symbol_index, len(batch.symbols))]
    faults: tuple[tuple[str, str, NDArray[np.bool_]], ...] = (
        ("symbol", "names no known asset", series < 0),
        (
            "time",
            "is outside the days that are kept, or after the market's now",
            _outside(batch, not_before, not_after),
        ),
        ("price", "must be above zero", batch.price <= 0),
        ("bid", "must be above zero and not above the price", (batch.bid <= 0) | (batch.bid > batch.price)),
        ("ask", "must not be below the price", batch.ask < batch.price),
    )
    bad = np.logical_or.reduce([mask for _field, _reason, mask in faults])
    rejected = int(np.count_nonzero(bad))
    if not rejected:
        return CheckedTicks(series, batch.time_micros, batch.price, batch.bid, batch.ask, 0, [])
    good = ~bad
    return CheckedTicks(
        series[good],
        batch.time_micros[good],
        batch.price[good],
        batch.bid[good],
        batch.ask[good],
        rejected,
        _explain(batch, bad, faults),
    )


def _outside(batch: TickBatch, not_before: int, not_after: int) -> NDArray[np.bool_]:
    outside: NDArray[np.bool_] = (batch.time_micros < not_before) | (batch.time_micros > not_after)
    return outside


def _explain(
    batch: TickBatch, bad: NDArray[np.bool_], faults: Sequence[tuple[str, str, NDArray[np.bool_]]]
) -> list[Rejection]:
    rejections = []
    for row in np.flatnonzero(bad)[:_SHOWN_REJECTIONS]:
        field, reason = next((field, reason) for field, reason, mask in faults if mask[row])
        index = int(batch.symbol_index[row])
        symbol = batch.symbols[index] if index < len(batch.symbols) else f"index {index}"
        found = f"time {batch.time_micros[row]}, price {batch.price[row]}, bid {batch.bid[row]}, ask {batch.ask[row]}"
        rejections.append(Rejection(int(row) + 1, field, reason, symbol, found))
    return rejections
