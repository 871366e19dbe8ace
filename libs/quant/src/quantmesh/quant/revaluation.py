"""What a book of stocks and options gains or loses in every one of many scenarios (RSK-1, RSK-3).

Every position is priced anew in every scenario, in compiled loops over positions and scenarios. Profits are in the
money of the book, negative where it loses.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant import american, black_scholes
from quantmesh.quant._american_schemes import Accuracy
from quantmesh.quant._arguments import Floats
from quantmesh.quant._elementary import TINY
from quantmesh.quant._revaluation_american import add_americans
from quantmesh.quant._revaluation_market import BLOCK, Market, contracts_of, market_of
from quantmesh.quant._threads import run_in_chunks
from quantmesh.quant.book import Book, Instrument
from quantmesh.quant.errors import DomainError
from quantmesh.quant.scenarios import Scenarios

# A task works on a stretch of scenarios, whose profits of one group stay in the cache.
_STRETCH = 2 * BLOCK

Groups = Literal["book", "underlying", "position"] | ArrayLike


class Revaluation(NamedTuple):
    """`values` before any move, one per position; `profits` are groups by scenarios."""

    values: Floats
    profits: Floats


def revalue(
    book: Book, scenarios: Scenarios, *, by: Groups = "book", american_accuracy: Accuracy = "fast"
) -> Revaluation:
    """Profits summed over the whole book, per underlying, per position, or per group: `by` then holds a number from 0
    up for every position. `american_accuracy` is that of `american.price`.

    Memory is that of the answer and of the scenarios: only `by="position"` holds positions by scenarios.
    Raises DomainError where a move leads out of the domain of the prices.
    """
    groups, count = groups_of(book, by)
    market = market_of(book, scenarios)
    values = present_values(book, american_accuracy=american_accuracy)
    profits = np.zeros((count, market.spot_factor.shape[1]))
    _add_stocks(book, groups, market, profits)
    _add_europeans(book, groups, market, scenarios.elapsed_years, values, profits)
    profits = profits[:, : scenarios.count]
    options = np.flatnonzero(book.instrument == Instrument.AMERICAN)
    if options.size:
        add_americans(
            book.where(options),
            groups[options],
            market,
            scenarios.elapsed_years,
            values[options],
            profits,
            american_accuracy,
        )
    return Revaluation(values, profits)


def present_values(book: Book, *, american_accuracy: Accuracy = "fast") -> Floats:
    """What each position is worth now: price times quantity times multiplier."""
    prices = book.spots.copy()
    chosen = book.instrument == Instrument.EUROPEAN
    if chosen.any():
        prices[chosen] = black_scholes.price(*contracts_of(book.where(chosen)))
    chosen = book.instrument == Instrument.AMERICAN
    if chosen.any():
        prices[chosen] = american.price(*contracts_of(book.where(chosen)), american_accuracy)
    return prices * book.units


def load_kernels() -> None:
    """Compile what arrays need, or read it from the cache, ahead of the first call."""
    from quantmesh.quant import _revaluation_kernels  # noqa: F401  importing loads them

    american.load_kernels()


def groups_of(book: Book, by: Groups) -> tuple[NDArray[np.int64], int]:
    """The group of each position, and how many groups there are."""
    if isinstance(by, str):
        if by == "book":
            return np.zeros(book.size, np.int64), 1
        if by == "underlying":
            return book.underlying.astype(np.int64), len(book.underlyings)
        if by == "position":
            return np.arange(book.size), book.size
        raise DomainError("by", repr(by), '"book", "underlying", "position" or a number per position')
    groups = np.asarray(by)
    if groups.shape != (book.size,) or groups.dtype.kind not in "iu":
        raise DomainError("by", f"{groups.dtype} of shape {groups.shape}", f"a whole number for each of {book.size}")
    if groups.min(initial=0) < 0:
        raise DomainError("by", int(groups.min()), "0 or more", int(groups.argmin()))
    return groups.astype(np.int64), int(groups.max(initial=0)) + 1


def _add_stocks(book: Book, groups: NDArray[np.int64], market: Market, profits: Floats) -> None:
    chosen = book.instrument == Instrument.STOCK
    if not chosen.any():
        return
    # Numba takes 0.7 s to import: on first use.
    from quantmesh.quant import _revaluation_kernels as kernels

    columns = (book.underlying[chosen].astype(np.int64), groups[chosen], book.units[chosen], book.spots[chosen])

    def task(start: int, stop: int) -> None:
        kernels.add_stocks(*columns, market.spot_factor, start, stop, profits)

    run_in_chunks(task, profits.shape[1], _STRETCH)


def _add_europeans(
    book: Book, groups: NDArray[np.int64], market: Market, elapsed_years: float, values: Floats, profits: Floats
) -> None:
    chosen = book.instrument == Instrument.EUROPEAN
    if not chosen.any():
        return
    from quantmesh.quant import _revaluation_kernels as kernels

    columns = european_columns(book.where(chosen), groups[chosen], elapsed_years, values[chosen])

    def task(start: int, stop: int) -> None:
        kernels.add_europeans(*columns, *market, start, stop, profits)

    run_in_chunks(task, profits.shape[1], _STRETCH)


def european_columns(
    options: Book, groups: NDArray[np.int64], elapsed_years: float, values: Floats
) -> tuple[NDArray[Any], ...]:
    """What does not depend on the scenario, in the order of the kernel's arguments."""
    sign, spot, strike, time_to_expiry, rate, dividend_yield, volatility = contracts_of(options)
    time = np.maximum(time_to_expiry - elapsed_years, 0.0)
    return (
        options.underlying.astype(np.int64),
        groups,
        sign.astype(np.float64),
        options.units,
        spot * np.exp(-dividend_yield * time),
        strike * np.exp(-rate * time),
        np.log(np.maximum(spot, TINY)) - np.log(np.maximum(strike, TINY)) + (rate - dividend_yield) * time,
        time,
        volatility,
        values,
    )
