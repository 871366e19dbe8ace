"""American options, ours and QuantLib's in turn on the same inputs: columns, and one contract over many spots.

.venv/bin/python benchmarks/quant_american.py [--rows 6000] [--rounds 5]
"""

import argparse
import sys
from typing import Any, NamedTuple

import numpy as np
from side_by_side import Peer, Table, in_turn

from quantmesh.quant import american as typed_american
from quantmesh.quant._american_schemes import SIZES, Accuracy, Sizes

# Contracts are unpacked from tuples before other arguments, which the type checker cannot follow.
american: Any = typed_american

_DAYS = 365.0
_SAMPLE = 600
_FINEST_ROWS = 25
# Root mean squares that QuantLib's schemes reach on milder options than these.
_LARGEST_ERRORS: dict[Accuracy, float] = {"fast": 9e-5, "accurate": 4e-6}
_CONTRACTS, _SCENARIOS = 10_000, 1_000
# QuantLib revalues so many of them in one round: its time is then multiplied.
_PEER_CONTRACTS, _PEER_SCENARIOS = 30, 100
_LARGEST_MEMORY_MEBIBYTES = 1024.0


class Options(NamedTuple):
    sign: np.ndarray
    spot: np.ndarray
    strike: np.ndarray
    days: np.ndarray
    rate: np.ndarray
    dividend_yield: np.ndarray
    volatility: np.ndarray

    @property
    def arguments(self) -> Any:
        """In the order of `american.price`."""
        return (self.sign, self.spot, self.strike, self.days / _DAYS, *self[4:])


def make_options(rows: int) -> Options:
    """Around the money, from a month to three years."""
    generator = np.random.default_rng(1)
    return Options(
        generator.choice([-1, 1], rows).astype(np.int8),
        100.0 * np.exp(generator.uniform(-0.4, 0.4, rows)),
        np.full(rows, 100.0),
        generator.integers(30, 1095, rows).astype(float),
        generator.uniform(0.005, 0.1, rows),
        generator.uniform(0.0, 0.1, rows),
        generator.uniform(0.1, 0.6, rows),
    )


def root_mean_square(errors: np.ndarray) -> float:
    return float(np.sqrt((errors**2).mean()))


def compare_columns(rows: int, rounds: int, table: Table) -> None:
    options = make_options(rows)
    some = Options(*(column[:_SAMPLE] for column in options))
    exact = np.asarray(american.price(*some.arguments, accuracy="high_precision"))
    with Peer("american", options._asdict()) as peer:
        for accuracy in ("fast", "accurate"):
            compare_accuracy(options, exact, accuracy, peer, rounds, table)


def compare_accuracy(
    options: Options, exact: np.ndarray, accuracy: Accuracy, peer: Peer, rounds: int, table: Table
) -> None:
    times = in_turn(
        lambda: american.price(*options.arguments, accuracy=accuracy), lambda: peer.seconds(accuracy), rounds
    )
    theirs = peer.answer("prices")[:_SAMPLE] - exact
    ours = np.asarray(american.price(*options.arguments, accuracy=accuracy))[:_SAMPLE] - exact
    table.row(f'American, "{accuracy}", to QuantLib QdFp {accuracy}', options.sign.size, times, goal=15)
    table.bound("largest error of QuantLib", float(np.abs(theirs).max()))
    table.bound("rms error of QuantLib", root_mean_square(theirs))
    table.bound("rms error of ours", root_mean_square(ours), _LARGEST_ERRORS[accuracy])
    table.bound("largest error of ours", float(np.abs(ours).max()))


def compare_finest(table: Table) -> None:
    options = make_options(_FINEST_ROWS)
    ours = american.price(*options.arguments, accuracy="high_precision")
    with Peer("american", options._asdict()) as peer:
        peer.seconds("finest")
        theirs = peer.answer("prices")
    table.bound("high precision against QuantLib's QdFp(30, 100, 1e-13)", float(np.abs(ours - theirs).max()), 1e-7)
    sizes = SIZES["high_precision"]
    iterations = sizes.iterations + sizes.iterations[-1:] * len(sizes.iterations)
    SIZES["high_precision"] = Sizes(2 * sizes.collocation, iterations, 2 * sizes.premium)
    finer = american.price(*options.arguments, accuracy="high_precision")
    SIZES["high_precision"] = sizes
    table.bound("high precision against twice its points and iterations", float(np.abs(ours - finer).max()), 1e-8)


def compare_revaluation(rounds: int, table: Table) -> None:
    options = make_options(_CONTRACTS)
    generator = np.random.default_rng(2)
    spots = options.spot[:, None] * np.exp(0.1 * generator.standard_normal((_CONTRACTS, _SCENARIOS)))
    few = Options(*(column[:_PEER_CONTRACTS] for column in options))
    some = np.ascontiguousarray(spots[:_PEER_CONTRACTS, :_PEER_SCENARIOS])
    arguments: Any = (options.sign, spots, *options.arguments[2:])
    share = spots.size / some.size
    with Peer("american", {**few._asdict(), "spots": some}) as peer:
        times = in_turn(
            lambda: american.price_over_spots(*arguments, accuracy="fast"),
            lambda: share * peer.seconds("over_spots"),
            rounds,
        )
        theirs = peer.answer("prices")
    terms: Any = [column[:, None] for column in few.arguments[2:]]
    exact = american.price(few.sign[:, None], some, *terms, accuracy="high_precision")
    ours = american.price_over_spots(few.sign, some, *few.arguments[2:], accuracy="fast")
    table.row(f"American revaluation, {_CONTRACTS:,} by {_SCENARIOS:,}, to QuantLib", spots.size, times, goal=15)
    table.bound("rms error of QuantLib", root_mean_square(theirs - exact))
    table.bound("rms error of ours", root_mean_square(ours - exact), root_mean_square(theirs - exact))
    table.bound("peak memory, MiB", times.peak_mebibytes, _LARGEST_MEMORY_MEBIBYTES)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=6_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    american.load_kernels()
    table = Table("k/s", 1e-3)
    compare_columns(arguments.rows, arguments.rounds, table)
    compare_finest(table)
    compare_revaluation(min(arguments.rounds, 3), table)
    return table.exit_status


if __name__ == "__main__":
    sys.exit(main())
