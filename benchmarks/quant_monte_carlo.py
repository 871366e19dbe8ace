"""Simulations, ours and the peers in turn on the same inputs: paths a second, and the time to a given accuracy.

.venv/bin/python benchmarks/quant_monte_carlo.py [--rounds 5]
"""

import argparse
import math
import sys

import numpy as np
from side_by_side import Peer, Table, in_turn, seconds_of

from quantmesh.quant import black_scholes, monte_carlo
from quantmesh.quant.monte_carlo import Asian, European, GeometricBrownianMotion

_SPOT, _STRIKE, _RATE, _VOLATILITY = 100.0, 100.0, 0.05, 0.24
_STEPS = 252
# QuantLib's dates are whole days. At this volatility the spot varies as at 20% over a year.
_YEARS = _STEPS / 365.0
_PROCESS = GeometricBrownianMotion(_SPOT, _RATE, 0.0, _VOLATILITY)
_PATHS = 100_000
_QUANTLIB_PATHS = 4_000
_BLOCK = 512
_BASIS_POINT = 1e-4 * _SPOT
# So many paths that the error over many seeds is below one basis point of the spot; QuantLib asks for 1,023 at least.
_ASIAN_PATHS, _QUANTLIB_ASIAN_PATHS, _NUMPY_ASIAN_PATHS = 64, 1_023, 768


def numpy_paths(generator: np.random.Generator, paths: int) -> np.ndarray:
    """Logarithms over the spot, `[step, path]`."""
    deviation = _VOLATILITY * math.sqrt(_YEARS / _STEPS)
    moves = generator.standard_normal((_STEPS, paths))
    moves *= deviation
    moves += (_RATE - 0.5 * _VOLATILITY**2) * _YEARS / _STEPS
    return moves


def numpy_european() -> float:
    """The textbook simulation over blocks that fit the cache."""
    generator, total, done = np.random.default_rng(1), 0.0, 0
    while done < _PATHS:
        count = min(_BLOCK, _PATHS - done)
        final = _SPOT * np.exp(numpy_paths(generator, count).sum(axis=0))
        total += float(np.maximum(final - _STRIKE, 0.0).sum())
        done += count
    return math.exp(-_RATE * _YEARS) * total / _PATHS


def numpy_asian(seed: int = 1) -> float:
    """With the geometric average as its control."""
    logarithms = np.cumsum(numpy_paths(np.random.default_rng(seed), _NUMPY_ASIAN_PATHS), axis=0)
    discount = math.exp(-_RATE * _YEARS)
    arithmetic = discount * np.maximum(_SPOT * np.exp(logarithms).mean(axis=0) - _STRIKE, 0.0)
    geometric = discount * np.maximum(_SPOT * np.exp(logarithms.mean(axis=0)) - _STRIKE, 0.0)
    n = _STEPS
    mean = (_RATE - 0.5 * _VOLATILITY**2) * _YEARS * (n + 1) / (2 * n)
    variance = _VOLATILITY**2 * _YEARS * (n + 1) * (2 * n + 1) / (6 * n * n)
    forward = _SPOT * math.exp(mean + 0.5 * variance)
    known = discount * float(black_scholes.price("call", forward, _STRIKE, 1.0, 0.0, 0.0, math.sqrt(variance)))
    products = np.cov(arithmetic, geometric)
    return float(arithmetic.mean() - products[0, 1] / products[1, 1] * (geometric.mean() - known))


def compare_paths(rounds: int, table: Table, peer: Peer) -> None:
    payoff = European("call", _STRIKE, _YEARS)

    def ours(sampler: str = "pseudo") -> monte_carlo.Result:
        return monte_carlo.price(payoff, _PROCESS, paths=_PATHS, steps=_STEPS, sampler=sampler)

    times = in_turn(ours, lambda: seconds_of(numpy_european), rounds)
    table.row("paths of 252 steps, to NumPy in blocks", _PATHS, times, goal=8)
    times = in_turn(lambda: ours("sobol"), lambda: seconds_of(numpy_european), rounds)
    table.row("the same from Sobol points with a Brownian bridge", _PATHS, times, goal=4)
    scale = _PATHS / _QUANTLIB_PATHS
    times = in_turn(ours, lambda: scale * peer.seconds("european"), rounds)
    table.row("the same, pseudo-random, to QuantLib", _PATHS, times, goal=40)
    exact = float(black_scholes.price("call", _SPOT, _STRIKE, _YEARS, _RATE, 0.0, _VOLATILITY))
    for sampler in ("pseudo", "sobol"):
        result = ours(sampler)
        off = abs(result.value - exact) / result.standard_error
        table.bound(f"standard errors off the closed form, {sampler}", off, 4.0)


def compare_accuracy(rounds: int, table: Table, peer: Peer) -> None:
    payoff = Asian("call", _STRIKE, _YEARS)

    def ours(seed: int = 1) -> float:
        return monte_carlo.price(payoff, _PROCESS, paths=_ASIAN_PATHS, steps=_STEPS, seed=seed).value

    exact = monte_carlo.price(payoff, _PROCESS, paths=1 << 18, steps=_STEPS, seed=99)
    times = in_turn(ours, lambda: peer.seconds("asian"), 3 * rounds)
    table.row("arithmetic Asian to 1 bp of spot, to QuantLib", 1.0, times, goal=30)
    times = in_turn(ours, lambda: seconds_of(numpy_asian), 3 * rounds)
    table.row("the same, to NumPy with the same control", 1.0, times, goal=1)
    peer.seconds("asian_errors")
    samples = {
        "ours": np.array([ours(seed) for seed in range(100)]),
        "QuantLib": peer.answer("prices"),
        "NumPy": np.array([numpy_asian(seed) for seed in range(100)]),
    }
    for name, values in samples.items():
        error = float(np.sqrt(np.mean((values - exact.value) ** 2))) / _BASIS_POINT
        table.bound(f"root mean square error in basis points, {name}", error, 1.0 if name == "ours" else np.inf)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    monte_carlo.load_kernels()
    inputs = {
        "spot": _SPOT,
        "strike": _STRIKE,
        "rate": _RATE,
        "volatility": _VOLATILITY,
        "steps": _STEPS,
        "paths": _QUANTLIB_PATHS,
        "asian_samples": _QUANTLIB_ASIAN_PATHS,
    }
    with Peer("monte_carlo", {name: np.array(value) for name, value in inputs.items()}) as peer:
        paths = Table("M/s", 1e-6)
        compare_paths(arguments.rounds, paths, peer)
        accuracy = Table("/s", 1.0)
        compare_accuracy(arguments.rounds, accuracy, peer)
    return paths.exit_status | accuracy.exit_status


if __name__ == "__main__":
    sys.exit(main())
