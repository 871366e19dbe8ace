"""Where a book's risk sits: Greeks by underlying, concentration, and the time and cost to sell (RSK-4)."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant import american, black_scholes
from quantmesh.quant._american_schemes import Accuracy
from quantmesh.quant._arguments import Floats
from quantmesh.quant._revaluation_market import contracts_of
from quantmesh.quant._samples import check_finite, vector_of
from quantmesh.quant.book import Book, Instrument
from quantmesh.quant.errors import DomainError


class AggregatedGreeks(NamedTuple):
    """One element per underlying, in money but for `delta` and `gamma`, sums over its positions.

    `delta` counts units of the underlying; `dollar_delta` is delta times spot, `gamma` the change of delta per unit of
    spot, `dollar_gamma` gamma times spot squared: a relative move x earns dollar_delta x + dollar_gamma x^2 / 2, which
    are the exposures and gammas of `value_at_risk.parametric`. `vega` and `rho` are per 1.00, `theta` per year.
    """

    underlyings: tuple[str, ...]
    value: Floats
    delta: Floats
    dollar_delta: Floats
    gamma: Floats
    dollar_gamma: Floats
    vega: Floats
    theta: Floats
    rho: Floats


class Concentration(NamedTuple):
    """Of absolute weights, which add up to one. `effective_number` is how many equal positions are as concentrated."""

    weights: Floats
    herfindahl: float
    effective_number: float
    largest: int
    largest_weight: float


class Liquidity(NamedTuple):
    """`days` to sell each position and the last of them; `sold_in_a_day` is the share of the book's gross value."""

    days: Floats
    longest_days: float
    sold_in_a_day: float


class LiquidityAdjusted(NamedTuple):
    """`cost` is the part of `value` that comes from spreads, `costs` that of each position."""

    value: float
    cost: float
    costs: Floats


def aggregated_greeks(book: Book, *, american_accuracy: Accuracy = "accurate") -> AggregatedGreeks:
    """Options at their prices' Greeks, stocks with a delta of one."""
    per_unit = np.zeros((6, book.size))
    stocks = book.instrument == Instrument.STOCK
    per_unit[0, stocks], per_unit[1, stocks] = book.spots[stocks], 1.0
    europeans, americans = (np.flatnonzero(book.instrument == kind) for kind in Instrument if kind != Instrument.STOCK)
    if europeans.size:
        per_unit[:, europeans] = black_scholes.price_and_greeks(*contracts_of(book.where(europeans)))
    if americans.size:
        contracts = contracts_of(book.where(americans))
        per_unit[:, americans] = american.price_and_greeks(*contracts, accuracy=american_accuracy)
    totals = np.zeros((len(book.underlyings), 6))
    np.add.at(totals, book.underlying, (book.units * per_unit).T)
    value, delta, gamma, vega, theta, rho = totals.T
    return AggregatedGreeks(
        underlyings=book.underlyings,
        value=value,
        delta=delta,
        dollar_delta=delta * book.spot,
        gamma=gamma,
        dollar_gamma=gamma * book.spot**2,
        vega=vega,
        theta=theta,
        rho=rho,
    )


def concentration(values: ArrayLike) -> Concentration:
    """Of market values, where short ones count by their size: Herfindahl's index is the sum of squared weights."""
    sizes = np.abs(np.asarray(values, dtype=np.float64))
    if sizes.ndim != 1 or sizes.size == 0:
        raise DomainError("values", f"shape {sizes.shape}", "a vector of at least one")
    check_finite("values", sizes)
    total = float(sizes.sum())
    if total == 0.0:
        raise DomainError("values", "zeros alone", "different from 0 somewhere")
    weights = sizes / total
    herfindahl = float(weights @ weights)
    largest = int(weights.argmax())
    return Concentration(weights, herfindahl, 1.0 / herfindahl, largest, float(weights[largest]))


def liquidity(
    quantities: ArrayLike, prices: ArrayLike, daily_volumes: ArrayLike, *, participation_rate: float = 0.2
) -> Liquidity:
    """Selling no more than `participation_rate` of the average daily volume of each, all side by side.

    Infinite days for what never trades.
    """
    held = np.abs(np.asarray(quantities, dtype=np.float64))
    sizes = vector_of("quantities", held, held.size)
    worth = sizes * _amounts("prices", prices, held.size)
    volumes = _amounts("daily_volumes", daily_volumes, held.size)
    if not 0.0 < participation_rate <= 1.0:
        raise DomainError("participation_rate", participation_rate, "above 0 and at most 1")
    daily = volumes * participation_rate
    days = np.divide(sizes, daily, out=np.where(sizes > 0.0, math.inf, 0.0), where=daily > 0.0)
    sold = np.divide(1.0, days, out=np.ones_like(days), where=days > 1.0)
    total = float(worth.sum())
    return Liquidity(days, float(days.max(initial=0.0)), float(sold @ worth) / total if total > 0.0 else 1.0)


def liquidity_adjusted(
    value_at_risk: float,
    market_values: ArrayLike,
    mean_spreads: ArrayLike,
    spread_deviations: ArrayLike,
    *,
    spread_multiple: float = 3.0,
) -> LiquidityAdjusted:
    """Value at risk and the cost of selling at a wide spread: half of each mean relative spread plus `spread_multiple`
    deviations of it, times the position's size.

    Bangia, Diebold, Schuermann and Stroughair, Modeling liquidity risk, 1999, eq. 8; their multiple lies between 2 and
    4.5. Spreads are relative to the middle price; wide spreads are taken to come together with the loss.
    """
    values = np.asarray(market_values, dtype=np.float64)
    sizes = np.abs(vector_of("market_values", values, values.size))
    if not (math.isfinite(value_at_risk) and value_at_risk >= 0.0):
        raise DomainError("value_at_risk", value_at_risk, "0 or more")
    if not (math.isfinite(spread_multiple) and spread_multiple >= 0.0):
        raise DomainError("spread_multiple", spread_multiple, "0 or more")
    means = _amounts("mean_spreads", mean_spreads, values.size)
    deviations = _amounts("spread_deviations", spread_deviations, values.size)
    costs = 0.5 * sizes * (means + spread_multiple * deviations)
    cost = float(costs.sum())
    return LiquidityAdjusted(value_at_risk + cost, cost, costs)


def _amounts(name: str, values: ArrayLike, size: int) -> Floats:
    amounts = vector_of(name, values, size)
    wrong = np.flatnonzero(amounts < 0.0)
    if wrong.size:
        raise DomainError(name, amounts[wrong[0]], "0 or more", int(wrong[0]))
    return amounts
