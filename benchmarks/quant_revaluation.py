"""Books over scenarios, ours and the peers in turn on the same inputs: European to NumPy, American to QuantLib.

.venv/bin/python benchmarks/quant_revaluation.py [--positions 10000] [--scenarios 1000] [--rounds 5]
"""

import argparse
import sys

import mpmath
import numpy as np
from scipy.special import ndtr
from side_by_side import Peer, Table, in_turn, seconds_of

from quantmesh.quant import american, revaluation
from quantmesh.quant.book import Book
from quantmesh.quant.scenarios import Scenarios

_POSITIONS_AT_ONCE = 8
_SPOTS = {"AAA": 100.0, "BBB": 100.0, "CCC": 100.0}
_YIELDS = {"AAA": 0.0, "BBB": 0.02, "CCC": 0.05}
_RATE = 0.03
_SAMPLE = 200
_AMERICAN_POSITIONS = 200
_LARGEST_MEMORY_MEBIBYTES = 1024.0


def make_book(positions: int, instrument: str | np.ndarray) -> Book:
    generator = np.random.default_rng(1)
    return Book.of(
        _SPOTS,
        underlying=generator.choice(list(_SPOTS), positions),
        instrument=instrument,
        option_type=generator.choice(["call", "put"], positions),
        quantity=generator.normal(0.0, 10.0, positions),
        strike=generator.uniform(70.0, 130.0, positions),
        time_to_expiry=generator.integers(7, 730, positions) / 365.0,
        volatility=generator.uniform(0.1, 0.6, positions),
        dividend_yields=_YIELDS,
        rate=_RATE,
    )


def make_scenarios(count: int) -> Scenarios:
    return Scenarios(np.expm1(np.random.default_rng(2).normal(0.0, 0.1, (count, len(_SPOTS)))))


def numpy_profits(book: Book, scenarios: Scenarios) -> np.ndarray:
    """The textbook formula for a few positions and all scenarios at a time, so that it fits the cache."""
    profits = np.zeros(scenarios.count)
    spots = np.ascontiguousarray((book.spot * (1.0 + scenarios.spot_moves)).T)
    for start in range(0, book.size, _POSITIONS_AT_ONCE):
        rows = slice(start, start + _POSITIONS_AT_ONCE)
        sign, strike, time, volatility = (
            column[rows, None] for column in (book.sign, book.strike, book.time_to_expiry, book.volatility)
        )
        carry_rate = book.dividend_yield[book.underlying[rows], None]
        deviation = volatility * np.sqrt(time)
        spot = spots[book.underlying[rows]]
        d1 = (np.log(spot / strike) + (book.rate - carry_rate) * time) / deviation + 0.5 * deviation
        carry, discount = np.exp(-carry_rate * time), np.exp(-book.rate * time)
        prices = sign * (spot * carry * ndtr(sign * d1) - strike * discount * ndtr(sign * (d1 - deviation)))
        profits += book.units[rows] @ prices
    return profits


def exact_price(book: Book, row: int, spot: mpmath.mpf) -> mpmath.mpf:
    sign, strike, time, volatility, carry_rate = (
        mpmath.mpf(float(value))
        for value in (
            book.sign[row],
            book.strike[row],
            book.time_to_expiry[row],
            book.volatility[row],
            book.dividend_yield[book.underlying[row]],
        )
    )
    deviation = volatility * mpmath.sqrt(time)
    d1 = (mpmath.log(spot / strike) + (_RATE - carry_rate) * time) / deviation + deviation / 2
    above = spot * mpmath.exp(-carry_rate * time) * mpmath.ncdf(sign * d1)
    return sign * (above - strike * mpmath.exp(-_RATE * time) * mpmath.ncdf(sign * (d1 - deviation)))


def largest_error(book: Book, scenarios: Scenarios, profits: np.ndarray) -> float:
    """Of a profit per unit (positions by scenarios), against 40 digits, on a sample."""
    generator = np.random.default_rng(3)
    worst = 0.0
    with mpmath.workdps(40):
        for row, column in zip(
            generator.integers(0, book.size, _SAMPLE), generator.integers(0, scenarios.count, _SAMPLE), strict=True
        ):
            u = book.underlying[row]
            spot = mpmath.mpf(float(book.spot[u]))
            moved = spot * (1 + mpmath.mpf(float(scenarios.spot_moves[column, u])))
            gained = float(exact_price(book, row, moved) - exact_price(book, row, spot))
            worst = max(worst, abs(float(profits[row, column]) / float(book.units[row]) - gained))
    return worst


def compare_european(positions: int, scenarios: Scenarios, rounds: int, table: Table) -> None:
    book = make_book(positions, "european")
    amount = positions * scenarios.count
    name = f"{positions:,} European by {scenarios.count:,}, to NumPy in blocks"

    def peer() -> float:
        return seconds_of(lambda: numpy_profits(book, scenarios))

    times = in_turn(lambda: revaluation.revalue(book, scenarios), peer, rounds)
    table.row(f"{name}, sums", amount, times, goal=9)
    table.bound("peak memory, MiB", times.peak_mebibytes, _LARGEST_MEMORY_MEBIBYTES)
    times = in_turn(lambda: revaluation.revalue(book, scenarios, by="position"), peer, rounds)
    table.row("the same, every profit kept", amount, times, goal=4)
    table.bound("peak memory, MiB", times.peak_mebibytes, _LARGEST_MEMORY_MEBIBYTES)
    profits = revaluation.revalue(book, scenarios, by="position").profits
    table.bound("largest error of a price at spot 100", largest_error(book, scenarios, profits), 1e-12)


def compare_american(scenarios: Scenarios, rounds: int, table: Table) -> None:
    book = make_book(_AMERICAN_POSITIONS, "american")
    spots = book.spots[:, None] * (1.0 + scenarios.spot_moves.T[book.underlying])
    amount = spots.size
    inputs: dict[str, np.ndarray] = {
        "sign": book.sign,
        "spot": book.spots,
        "spots": spots,
        "strike": book.strike,
        "days": np.rint(book.time_to_expiry * 365.0),
        "rate": np.full(book.size, _RATE),
        "dividend_yield": book.dividend_yield[book.underlying],
        "volatility": book.volatility,
    }
    contract = (book.strike, book.time_to_expiry, _RATE, book.dividend_yield[book.underlying], book.volatility)
    exact = american.price_over_spots(book.sign, spots, *contract, "high_precision")
    with Peer("american", inputs) as peer:
        times = in_turn(lambda: revaluation.revalue(book, scenarios), lambda: peer.seconds("over_spots"), rounds)
        theirs = peer.answer("prices")
    ours = american.price_over_spots(book.sign, spots, *contract, "fast")
    table.row(
        f"{_AMERICAN_POSITIONS} American by {scenarios.count:,} scenarios, to QuantLib's fast QdFp",
        amount,
        times,
        goal=15,
    )
    for name, prices, limit in (("ours", ours, 1e-4), ("QuantLib", theirs, np.inf)):
        table.bound(f"rms error of a price at spot 100, {name}", float(np.sqrt(np.mean((prices - exact) ** 2))), limit)


def measure_mixed(positions: int, scenarios: Scenarios, table: Table) -> None:
    """Half of them American, and every profit kept: nothing else holds as much memory."""
    mixed = make_book(positions, np.where(np.arange(positions) % 2, "american", "european"))
    times = in_turn(lambda: revaluation.revalue(mixed, scenarios, by="position"), lambda: 0.0, 1)
    amount = positions * scenarios.count
    table.bound(f"{positions:,} mixed by {scenarios.count:,}, every profit kept, seconds", times.ours[0])
    table.bound(f"peak memory of these {amount:.0e} prices, MiB", times.peak_mebibytes, _LARGEST_MEMORY_MEBIBYTES)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--positions", type=int, default=10_000)
    parser.add_argument("--scenarios", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    revaluation.load_kernels()
    scenarios = make_scenarios(arguments.scenarios)
    table = Table()
    compare_european(arguments.positions, scenarios, arguments.rounds, table)
    compare_american(scenarios, min(arguments.rounds, 3), table)
    measure_mixed(arguments.positions, scenarios, table)
    return table.exit_status


if __name__ == "__main__":
    sys.exit(main())
