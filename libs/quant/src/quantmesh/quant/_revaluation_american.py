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
    kinds = _kinds_of(market, count)
    shares_boundaries = _LEAST_SHARING * (int(kinds.max()) + 1) <= max(count, _LEAST_SHARING)
    order = np.argsort(groups, kind="stable")
    at_once = max(1, _PRICES_AT_ONCE // count)
    for start in range(0, order.size, at_once):
        chosen = order[start : start + at_once]
        part = options.where(chosen)
        if shares_boundaries:
            gains = np.empty((chosen.size, count))
            for kind in range(int(kinds.max()) + 1):
                scenarios = np.flatnonzero(kinds == kind)
                gains[:, scenarios] = _prices_of_a_kind(part, market, scenarios, elapsed_years, accuracy)
        else:
            gains = _prices_each(part, market, count, elapsed_years, accuracy)
        gains *= part.units[:, None]
        gains -= values[chosen, None]
        distinct, starts = np.unique(groups[chosen], return_index=True)
        profits[distinct] += np.add.reduceat(gains, starts, axis=0)


def _kinds_of(market: Market, count: int) -> NDArray[np.intp]:
    """The same number for scenarios with the same volatilities and rate, from 0 up."""
    moves = [table[:, :count] for table in (market.volatility_factor, market.volatility_shift) if table.size]
    moves += [market.rate_shift[None, :count]] if market.rate_shift.size else []
    if not moves:
        return np.zeros(count, np.intp)
    return np.unique(np.concatenate(moves), axis=1, return_inverse=True)[1].reshape(-1)


def _prices_of_a_kind(
    options: Book, market: Market, scenarios: NDArray[np.intp], elapsed_years: float, accuracy: Accuracy
) -> Floats:
    first = scenarios[0]
    sign, spot, strike, time, rate, dividend_yield, volatility = contracts_of(options)
    spots = spot[:, None] * market.spot_factor[np.ix_(options.underlying, scenarios)]
    if market.rate_shift.size:
        rate = rate + market.rate_shift[first]
    if market.volatility_factor.size:
        factor, shift = (
            table[options.underlying, first] for table in (market.volatility_factor, market.volatility_shift)
        )
        volatility = np.maximum(volatility * factor + shift, 0.0)
    time = np.maximum(time - elapsed_years, 0.0)
    return american.price_over_spots(sign, spots, strike, time, rate, dividend_yield, volatility, accuracy)


def _prices_each(options: Book, market: Market, count: int, elapsed_years: float, accuracy: Accuracy) -> Floats:
    sign, spot, strike, time, rate, dividend_yield, volatility = (column[:, None] for column in contracts_of(options))
    spots = spot * market.spot_factor[options.underlying, :count]
    if market.rate_shift.size:
        rate = rate + market.rate_shift[:count]
    if market.volatility_factor.size:
        factor, shift = (
            table[options.underlying, :count] for table in (market.volatility_factor, market.volatility_shift)
        )
        volatility = np.maximum(volatility * factor + shift, 0.0)
    time = np.maximum(time - elapsed_years, 0.0)
    prices = american.price(sign, spots, strike, time, rate, dividend_yield, volatility, accuracy)
    return np.asarray(prices)
