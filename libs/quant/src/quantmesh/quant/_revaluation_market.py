"""Scenarios as the revaluation takes them, checked against the book."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant._arguments import SPOT, VOLATILITY, Floats
from quantmesh.quant._elementary import TINY
from quantmesh.quant._limits import LARGEST_EXPONENT
from quantmesh.quant.book import Book
from quantmesh.quant.errors import DomainError
from quantmesh.quant.scenarios import Scenarios

# Scenarios that the kernels take at a time.
BLOCK = 64


class Market(NamedTuple):
    """Scenarios as factors and shifts, underlyings by scenarios, padded to whole blocks; without a row where absent."""

    spot_factor: Floats
    log_factor: Floats
    volatility_factor: Floats
    volatility_shift: Floats
    rate_shift: Floats


def market_of(book: Book, scenarios: Scenarios) -> Market:
    shape = (len(book.underlyings), -(-scenarios.count // BLOCK) * BLOCK)

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


def contracts_of(options: Book) -> tuple[NDArray[np.int8], Floats, Floats, Floats, Floats, Floats, Floats]:
    """The arguments of a price, one per option."""
    return (
        options.sign,
        options.spots,
        options.strike,
        options.time_to_expiry,
        np.full(options.size, options.rate),
        options.dividend_yield[options.underlying],
        options.volatility,
    )
