"""Black-Scholes in columns, ours and the peers in turn on the same inputs: prices, Greeks, implied volatilities.

.venv/bin/python benchmarks/quant_black_scholes.py [--rows 1000000] [--rounds 5]
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Self

import mpmath  # type: ignore[import-untyped]  # it has no stubs
import numpy as np
from scipy.special import ndtr

from quantmesh.quant import black_scholes

_ROOT = Path(__file__).resolve().parent.parent
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


class Peer:
    """py_vollib_vectorized in a process of its own."""

    def __init__(self, options: Options, price: np.ndarray, folder: Path) -> None:
        np.savez(folder / "inputs.npz", **options._asdict(), price=price)
        self._outputs = folder / "outputs.npz"
        python, program = _ROOT / ".venv-bench/bin/python", _ROOT / "benchmarks/quant_peers.py"
        self._process = subprocess.Popen(
            [python, program, folder / "inputs.npz", self._outputs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, work: str) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{work}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def answer(self, name: str) -> np.ndarray:
        answer: np.ndarray = np.load(self._outputs)[name]
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


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


def report(name: str, rows: int, ours: list[float], peer: list[float]) -> None:
    """Rates by medians, and the median of the ratios of each round."""
    ratio = np.median(np.array(peer) / np.array(ours))
    line = f"{name:<62} {rows / np.median(ours) / 1e6:8.1f} M/s {rows / np.median(peer) / 1e6:8.2f} M/s {ratio:8.1f}x\n"
    sys.stdout.write(line)


def compare_prices(rows: int, rounds: int, folder: Path) -> None:
    options = make_options(rows, 0.0, 3.0)
    ours = black_scholes.price_and_greeks(*options)
    with Peer(options, np.asarray(ours.price), folder) as peer:
        peer.seconds("price_and_greeks")
        times: dict[str, list[float]] = {"ours": [], "numpy": [], "vollib": []}
        for _ in range(rounds):
            times["ours"].append(seconds_of(lambda: black_scholes.price_and_greeks(*options)))
            times["numpy"].append(seconds_of(lambda: numpy_in_blocks(options)))
            times["vollib"].append(peer.seconds("price_and_greeks"))
        theirs = peer.answer("price")
    report("price and 5 Greeks, to NumPy in blocks", rows, times["ours"], times["numpy"])
    report("price and 5 Greeks, to py_vollib_vectorized", rows, times["ours"], times["vollib"])
    errors = [
        f"{name} {largest_price_error(options, np.asarray(prices)):.1e}"
        for name, prices in (("ours", ours.price), ("NumPy", numpy_in_blocks(options)[0]), ("py_vollib", theirs))
    ]
    sys.stdout.write(f"  largest error of a price at spot 100: {', '.join(errors)}\n")


def compare_implied(rows: int, rounds: int, folder: Path, nearest: float, farthest: float) -> None:
    options = make_options(rows, nearest, farthest)
    price = np.asarray(black_scholes.price(*options))
    contract = options[:-1]
    with Peer(options, price, folder) as peer:
        peer.seconds("implied_volatility")
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(rounds):
            ours.append(seconds_of(lambda: black_scholes.implied_volatility(price, *contract)))
            theirs.append(peer.seconds("implied_volatility"))
        vollib = peer.answer("implied_volatility")
    report(f"implied volatility, {nearest:g} to {farthest:g} deviations, to py_vollib_vectorized", rows, ours, theirs)
    errors = [
        f"{name} {np.nanmax(np.abs(found / options.volatility - 1)):.1e}"
        for name, found in (("ours", black_scholes.implied_volatility(price, *contract)), ("py_vollib", vollib))
    ]
    sys.stdout.write(f"  largest relative error: {', '.join(errors)}\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    black_scholes.load_kernels()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        compare_prices(arguments.rows, arguments.rounds, folder)
        compare_implied(arguments.rows, arguments.rounds, folder, 0.0, 3.0)
        compare_implied(arguments.rows, arguments.rounds, folder, 3.0, 8.0)


if __name__ == "__main__":
    main()
