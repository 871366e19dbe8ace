"""What a book of stocks and options gains or loses in every one of many scenarios (RSK-1, RSK-3).

Every position is priced anew in every scenario, in compiled loops over positions and scenarios. Profits are in the
money of the book, negative where it loses.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant import black_scholes
from quantmesh.quant._arguments import SPOT, VOLATILITY, Floats
from quantmesh.quant._elementary import TINY
from quantmesh.quant._limits import LARGEST_EXPONENT
from quantmesh.quant._threads import run_in_chunks
from quantmesh.quant.book import Book, Instrument
from quantmesh.quant.errors import DomainError
from quantmesh.quant.scenarios import Scenarios

# As the kernels'. A task works on a stretch of scenarios, whose profits of one group stay in the cache.
_BLOCK = 64
_STRETCH = 2 * _BLOCK

Groups = Literal["book", "underlying", "position"] | ArrayLike


class Revaluation(NamedTuple):
    """`values` before any move, one per position; `profits` are groups by scenarios."""

    values: Floats
    profits: Floats


class Market(NamedTuple):
    """Scenarios as factors and shifts, underlyings by scenarios, padded to whole blocks; without a row where absent."""

    spot_factor: Floats
    log_factor: Floats
    volatility_factor: Floats
    volatility_shift: Floats
    rate_shift: Floats


def revalue(book: Book, scenarios: Scenarios, *, by: Groups = "book") -> Revaluation:
    """Profits summed over the whole book, per underlying, per position, or per group: `by` then holds a number from 0
    up for every position.

    Memory is that of the answer and of the scenarios: only `by="position"` holds positions by scenarios.
    Raises DomainError where a move leads out of the domain of the prices.
    """
    groups, count = groups_of(book, by)
    market = market_of(book, scenarios)
    values = present_values(book)
    profits = np.zeros((count, market.spot_factor.shape[1]))
    _add_stocks(book, groups, market, profits)
    _add_europeans(book, groups, market, scenarios.elapsed_years, values, profits)
    return Revaluation(values, profits[:, : scenarios.count])


def present_values(book: Book) -> Floats:
    """What each position is worth now: price times quantity times multiplier."""
    prices = book.spots.copy()
    chosen = book.instrument == Instrument.EUROPEAN
    prices[chosen] = black_scholes.price(*_contracts(book.where(chosen)))
    return prices * book.units


def load_kernels() -> None:
    """Compile what arrays need, or read it from the cache, ahead of the first call."""
    from quantmesh.quant import _revaluation_kernels  # noqa: F401  importing loads them

    black_scholes.load_kernels()


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


def _contracts(options: Book) -> tuple[NDArray[np.int8], Floats, Floats, Floats, Floats, Floats, Floats]:
    """The arguments of a price."""
    return (
        options.sign,
        options.spots,
        options.strike,
        options.time_to_expiry,
        np.full(options.size, options.rate),
        options.dividend_yield[options.underlying],
        options.volatility,
    )


def market_of(book: Book, scenarios: Scenarios) -> Market:
    shape = (len(book.underlyings), -(-scenarios.count // _BLOCK) * _BLOCK)

    def padded(name: str, moves: Floats | None, neutral: float) -> Floats:
        if moves is None:
            return np.empty((0, 0))
        if moves.shape[1] not in {1, shape[0]}:
            raise DomainError(
                name, f"{moves.shape[1]} columns", f"one column, or one for each of {shape[0]} underlyings"
            )
        whole = np.full(shape, neutral)
        whole[:, : scenarios.count] += moves.T
        return whole

    spot_factor = padded("spot_moves", scenarios.spot_moves, 1.0)
    factor = padded("volatility_moves", scenarios.volatility_moves, 1.0)
    shift = padded("volatility_shifts", scenarios.volatility_shifts, 0.0)
    if factor.size or shift.size:
        factor = factor if factor.size else np.ones(shape)
        shift = shift if shift.size else np.zeros(shape)
    rate_shift = np.zeros(0)
    if scenarios.rate_shifts is not None:
        rate_shift = np.zeros(shape[1])
        rate_shift[: scenarios.count] = scenarios.rate_shifts
    market = Market(spot_factor, np.log(np.maximum(spot_factor, TINY)), factor, shift, rate_shift)
    _check_extremes(book, market)
    return market


def _check_extremes(book: Book, market: Market) -> None:
    """What is inside of its domain now must stay there in every scenario."""
    highest = float((book.spot * market.spot_factor.max(axis=1)).max(initial=0.0))
    if highest > SPOT.maximum:
        raise DomainError("spot_moves", f"a spot of {highest:g}", f"moves to spots up to {SPOT.maximum:g}")
    if market.volatility_factor.size and book.size:
        factor, shift = market.volatility_factor.max(axis=1), market.volatility_shift.max(axis=1)
        highest = float((book.volatility * factor[book.underlying] + shift[book.underlying]).max())
        if highest > VOLATILITY.maximum:
            raise DomainError("volatility_moves", f"a volatility of {highest:g}", f"up to {VOLATILITY.maximum:g}")
    longest = float(book.time_to_expiry.max(initial=0.0))
    steepest = abs(book.rate) + float(np.abs(market.rate_shift).max(initial=0.0))
    if steepest * longest > LARGEST_EXPONENT:
        raise DomainError("rate_shifts", f"a rate of {steepest:g}", f"at most {LARGEST_EXPONENT / longest:g} in size")


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
    sign, spot, strike, time_to_expiry, rate, dividend_yield, volatility = _contracts(options)
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
