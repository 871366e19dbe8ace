"""American options over scenarios: a contract's exercise boundary serves all scenarios that move the spot alone."""

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant import american
from quantmesh.quant._american_schemes import Accuracy
from quantmesh.quant._arguments import Floats
from quantmesh.quant._revaluation_market import Market, contracts_of
from quantmesh.quant.book import Book

# Prices held at once.
_PRICES_AT_ONCE = 2_000_000
# With fewer scenarios to a boundary on average, pricing each by itself is no slower.
_LEAST_SHARING = 4


def add_americans(
    options: Book,
    groups: NDArray[np.int64],
    market: Market,
    elapsed_years: float,
    values: Floats,
    profits: Floats,
    accuracy: Accuracy,
) -> None:
    """`profits` are groups by scenarios, without padding."""
    count = profits.shape[1]
    alike = _scenarios_alike(market, count)
    order = np.argsort(groups, kind="stable")
    at_once = max(1, _PRICES_AT_ONCE // count)
    for start in range(0, order.size, at_once):
        chosen = order[start : start + at_once]
        part = options.where(chosen)
        gains = np.empty((chosen.size, count))
        for scenarios in alike:
            gains[:, scenarios] = _prices(part, market, scenarios, elapsed_years, accuracy)
        gains *= part.units[:, None]
        gains -= values[chosen, None]
        distinct, starts = np.unique(groups[chosen], return_index=True)
        profits[distinct] += np.add.reduceat(gains, starts, axis=0)


def _scenarios_alike(market: Market, count: int) -> list[NDArray[np.intp]]:
    """Sets of scenarios with the same volatilities and rate, or all of them where hardly any are alike."""
    moves = [table[:, :count] for table in (market.volatility_factor, market.volatility_shift) if table.size]
    moves += [market.rate_shift[None, :count]] if market.rate_shift.size else []
    whole = np.arange(count)
    if not moves:
        return [whole]
    distinct, kinds = np.unique(np.concatenate(moves), axis=1, return_inverse=True)
    if _LEAST_SHARING * distinct.shape[1] > count:
        return [whole]
    return [np.flatnonzero(kinds.reshape(-1) == kind) for kind in range(distinct.shape[1])]


def _prices(
    options: Book, market: Market, scenarios: NDArray[np.intp], elapsed_years: float, accuracy: Accuracy
) -> Floats:
    """Options by scenarios, over shared boundaries where no volatility or rate differs."""
    sign, spot, strike, time, rate, dividend_yield, volatility = (column[:, None] for column in contracts_of(options))
    spots = spot * market.spot_factor[np.ix_(options.underlying, scenarios)]
    time = np.maximum(time - elapsed_years, 0.0)
    if market.rate_shift.size:
        rate = rate + market.rate_shift[scenarios]
    if market.volatility_factor.size:
        factor, shift = (
            table[np.ix_(options.underlying, scenarios)]
            for table in (market.volatility_factor, market.volatility_shift)
        )
        volatility = np.maximum(volatility * factor + shift, 0.0)
    if all(np.array_equal(column, np.broadcast_to(column[:, :1], column.shape)) for column in (rate, volatility)):
        return american.price_over_spots(
            sign[:, 0],
            spots,
            strike[:, 0],
            time[:, 0],
            rate[:, 0],
            dividend_yield[:, 0],
            volatility[:, 0],
            accuracy,
        )
    return np.asarray(american.price(sign, spots, strike, time, rate, dividend_yield, volatility, accuracy))
