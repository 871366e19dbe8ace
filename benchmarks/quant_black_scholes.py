"""Black-Scholes in columns, ours and the peers in turn on the same inputs: prices, Greeks, implied volatilities.

.venv/bin/python benchmarks/quant_black_scholes.py [--rows 1000000] [--rounds 5]
"""

import argparse
import sys
from typing import NamedTuple

import mpmath
import numpy as np
from scipy.special import ndtr
from side_by_side import Peer, Table, in_turn, seconds_of

from quantmesh.quant import black_scholes

_BLOCK = 8_192
_SAMPLE = 300


class Options(NamedTuple):
    sign: np.ndarray
    spot: np.ndarray
    strike: np.ndarray
    time: np.ndarray
    rate: np.ndarray
    dividend_yield: np.ndarray
    volatility: np.ndarray


def make_options(rows: int, nearest: float, farthest: float) -> Options:
    """Out-of-the-money options, their strikes between so many standard deviations from the forward."""
    generator = np.random.default_rng(1)
    years, volatility = generator.uniform(0.02, 2.0, rows), generator.uniform(0.08, 0.6, rows)
    rate, dividend_yield = generator.uniform(-0.01, 0.05, rows), generator.uniform(0.0, 0.03, rows)
    deviations = generator.uniform(nearest, farthest, rows) * generator.choice([-1, 1], rows)
    strike = 100.0 * np.exp((rate - dividend_yield) * years + deviations * volatility * np.sqrt(years))
    sign = np.where(deviations > 0, 1, -1).astype(np.int8)
    return Options(sign, np.full(rows, 100.0), strike, years, rate, dividend_yield, volatility)


def numpy_in_blocks(options: Options) -> np.ndarray:
    """The textbook formulas over blocks that fit the cache."""
    answers = np.empty((6, options.sign.size))
    for start in range(0, options.sign.size, _BLOCK):
        rows = slice(start, start + _BLOCK)
        sign, spot, strike, years, rate, dividend_yield, volatility = (column[rows] for column in options)
        root = np.sqrt(years)
        deviation = volatility * root
        d1 = (np.log(spot / strike) + (rate - dividend_yield) * years) / deviation + 0.5 * deviation
        d2 = d1 - deviation
        carry, discount = np.exp(-dividend_yield * years), np.exp(-rate * years)
        density = np.exp(-0.5 * d1 * d1) * 0.3989422804014327
        above, exercised = ndtr(sign * d1), ndtr(sign * d2)
        answers[0, rows] = sign * (spot * carry * above - strike * discount * exercised)
        answers[1, rows] = sign * carry * above
        answers[2, rows] = carry * density / (spot * deviation)
        answers[3, rows] = spot * carry * density * root
        answers[4, rows] = (
            sign * (dividend_yield * spot * carry * above - rate * strike * discount * exercised)
            - 0.5 * spot * carry * density * volatility / root
        )
        answers[5, rows] = sign * years * strike * discount * exercised
    return answers


def exact_price(row: tuple[float, ...]) -> float:
    sign, spot, strike, years, rate, dividend_yield, volatility = map(mpmath.mpf, row)
    deviation = volatility * mpmath.sqrt(years)
    d1 = (mpmath.log(spot / strike) + (rate - dividend_yield) * years) / deviation + deviation / 2
    spot_part = spot * mpmath.exp(-dividend_yield * years) * mpmath.ncdf(sign * d1)
    return float(sign * (spot_part - strike * mpmath.exp(-rate * years) * mpmath.ncdf(sign * (d1 - deviation))))


def largest_price_error(options: Options, prices: np.ndarray) -> float:
    """Against 40 digits, on a sample."""
    step = max(1, prices.size // _SAMPLE)
    with mpmath.workdps(40):
        exact = [exact_price(tuple(float(column[i]) for column in options)) for i in range(0, prices.size, step)]
    return float(np.abs(prices[::step] - exact).max())


def compare_prices(rows: int, rounds: int, table: Table) -> None:
    options = make_options(rows, 0.0, 3.0)
    ours = black_scholes.price_and_greeks(*options)
    with Peer("black_scholes", {**options._asdict(), "price": np.asarray(ours.price)}) as peer:
        against_numpy = in_turn(
            lambda: black_scholes.price_and_greeks(*options),
            lambda: seconds_of(lambda: numpy_in_blocks(options)),
            rounds,
        )
        against_vollib = in_turn(
            lambda: black_scholes.price_and_greeks(*options), lambda: peer.seconds("price_and_greeks"), rounds
        )
        vollib = peer.answer("price")
    table.row("price and 5 Greeks, to NumPy in blocks", rows, against_numpy, goal=7)
    table.row("price and 5 Greeks, to py_vollib_vectorized", rows, against_vollib, goal=180)
    for name, prices, limit in (
        ("ours", np.asarray(ours.price), 1e-12),
        ("NumPy", numpy_in_blocks(options)[0], np.inf),
        ("py_vollib", vollib, np.inf),
    ):
        table.bound(f"largest error of a price at spot 100, {name}", largest_price_error(options, prices), limit)


def compare_implied(rows: int, rounds: int, nearest: float, farthest: float, goal: float, table: Table) -> None:
    options = make_options(rows, nearest, farthest)
    price = np.asarray(black_scholes.price(*options))
    contract = options[:-1]
    with Peer("black_scholes", {**options._asdict(), "price": price}) as peer:
        times = in_turn(
            lambda: black_scholes.implied_volatility(price, *contract),
            lambda: peer.seconds("implied_volatility"),
            rounds,
        )
        vollib = peer.answer("implied_volatility")
    table.row(f"implied volatility, {nearest:g} to {farthest:g} deviations, to py_vollib_vectorized", rows, times, goal)
    for name, found, limit in (
        ("ours", black_scholes.implied_volatility(price, *contract), 1e-11),
        ("py_vollib", vollib, np.inf),
    ):
        table.bound(f"largest relative error, {name}", float(np.nanmax(np.abs(found / options.volatility - 1))), limit)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    black_scholes.load_kernels()
    table = Table()
    compare_prices(arguments.rows, arguments.rounds, table)
    compare_implied(arguments.rows, arguments.rounds, 0.0, 3.0, 20, table)
    compare_implied(arguments.rows, arguments.rounds, 3.0, 8.0, 3, table)
    return table.exit_status


if __name__ == "__main__":
    sys.exit(main())
