"""A surface through the SPY chain of 427 quotes, and options under its local volatility, against QuantLib.

.venv/bin/python benchmarks/quant_surface.py [--rounds 5]
"""

import argparse
import gzip
import json
import math
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
from side_by_side import Peer, Table, in_turn, seconds_of

from quantmesh.quant import black_76, local_volatility, svi

_CHAIN = Path(__file__).resolve().parent.parent / "libs/quant/tests/data/spy_option_chain.json.gz"
_LOCAL_VOLATILITY_GOAL = 50.0
_SECONDS_LIMIT = 1.0
_REPRICING_LIMIT = 5.0
_OPTION_DAYS = 154
_NOISE = 5e-4


def spy_quotes() -> dict[str, np.ndarray]:
    """On whole days, which is how QuantLib counts; volatilities keep their total variance."""
    chain = json.loads(gzip.decompress(_CHAIN.read_bytes()))
    start = datetime.fromisoformat(chain["time"])
    columns: dict[str, list[float]] = {name: [] for name in ("strike", "days", "forward", "bid", "ask")}
    for maturity in chain["expiries"]:
        count = len(maturity["strikes"])
        days = round((datetime.fromisoformat(maturity["expiry"]) - start).total_seconds() / 86400)
        ratio = math.sqrt(maturity["ttm_360"] * 365 / days)
        columns["strike"] += maturity["strikes"]
        columns["days"] += [days] * count
        columns["forward"] += [maturity["forward"]] * count
        columns["bid"] += [ratio * bid for bid in maturity["bid"]]
        columns["ask"] += [ratio * ask for ask in maturity["ask"]]
    return {name: np.array(column) for name, column in columns.items()}


def fit_real_quotes(quotes: dict[str, np.ndarray], table: Table, rounds: int) -> svi.Surface:
    spread = quotes["ask"] - quotes["bid"]
    volatility = 0.5 * (quotes["ask"] + quotes["bid"])

    def fit() -> svi.Fit:
        return svi.fit(quotes["strike"], quotes["days"] / 365.0, volatility, quotes["forward"], spread=spread)

    ours = fit()
    inside = np.mean(np.abs(ours.residual) <= 0.5 * spread)
    margins = f"butterfly {ours.arbitrage.butterfly.value:.2g}, calendar {ours.arbitrage.calendar.value:.2g}"
    sys.stdout.write(f"SPY, {spread.size} quotes a median of {1e4 * np.median(spread):.1f} basis points wide: ")
    sys.stdout.write(f"{inside:.1%} inside bid and ask; margins: {margins}\n")
    table.bound("rmse, basis points of volatility", 1e4 * ours.rmse)
    table.bound("seconds", float(np.median([seconds_of(fit) for _ in range(rounds)])), _SECONDS_LIMIT)
    return ours.surface


def compare_fits(surface: svi.Surface, quotes: dict[str, np.ndarray], table: Table, rounds: int) -> None:
    """Quotes some basis points around the surface: on the real ones QuantLib goes through fifty guesses, in 10 s."""
    years = quotes["days"] / 365.0
    noise = np.random.default_rng(1).normal(0.0, _NOISE, years.size)
    volatility = np.asarray(surface.volatility(quotes["strike"], years)) + noise
    inputs = {name: quotes[name] for name in ("strike", "days", "forward")}
    with Peer("surface", inputs | {"volatility": volatility}) as peer:
        times = in_turn(
            lambda: svi.fit(quotes["strike"], years, volatility, quotes["forward"]),
            lambda: peer.seconds("slices"),
            rounds,
        )
        theirs = peer.answer("volatility")
    own, other = (1e3 * float(np.median(seconds)) for seconds in times[:2])
    sys.stdout.write(
        f"4 SVI slices together without arbitrage: {own:.0f} ms; QuantLib, each alone and free to have it: "
    )
    sys.stdout.write(f"{other:.0f} ms\n")
    ours = svi.fit(quotes["strike"], years, volatility, quotes["forward"])
    table.bound("our rmse, basis points of volatility", 1e4 * ours.rmse)
    table.bound("QuantLib's", 1e4 * math.sqrt(np.mean((theirs - volatility) ** 2)))


def compare_local_volatility(surface: svi.Surface, table: Table, rounds: int) -> None:
    """The peer gets the local volatilities in a table, one forward for all, and prices an option at a time."""
    forward = float(surface.forward[0])
    level = svi.Surface(
        surface.time_to_expiry, forward, surface.a, surface.b, surface.rho, surface.m, surface.sigma, spot=forward
    )
    model = local_volatility.from_surface(level)
    table_days = np.unique(np.concatenate([np.arange(10), np.arange(10, _OPTION_DAYS, 4), [_OPTION_DAYS]]))
    table_strikes = forward * np.exp(np.linspace(-1.2, 0.6, 361))
    option_strikes = forward * np.exp(np.linspace(-0.3, 0.2, 20))
    years = _OPTION_DAYS / 365.0
    inputs = {
        "spot": np.array(forward),
        "at_the_money": np.array(level.volatility(forward, years)),
        "table": np.asarray(model.volatility(table_strikes[:, None], table_days / 365.0)),
        "table_days": table_days,
        "table_strikes": table_strikes,
        "option_strikes": option_strikes,
        "option_days": np.array(_OPTION_DAYS),
    }
    # One march prices them all: ours gets the strikes of a whole chain.
    many = forward * np.exp(np.linspace(-0.3, 0.2, 400))
    with Peer("surface", inputs) as peer:
        times = in_turn(
            lambda: model.price("call", many, years, 0.0),
            lambda: peer.seconds("local_volatility") * many.size / option_strikes.size,
            rounds,
        )
        theirs = peer.answer("price")
    table.row("European options under local volatility, 400 strikes", many.size, times, _LOCAL_VOLATILITY_GOAL)
    expected = np.asarray(level.volatility(option_strikes, years))

    def largest_error(prices: np.ndarray) -> float:
        found = black_76.implied_volatilities(prices, "call", forward, option_strikes, years, 0.0).volatility
        return 1e4 * float(np.abs(found - expected).max())

    table.bound(
        "largest error of our implied volatilities, basis points",
        largest_error(np.asarray(model.price("call", option_strikes, years, 0.0))),
        _REPRICING_LIMIT,
    )
    table.bound("QuantLib's", largest_error(theirs))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    local_volatility.load_kernels()
    table = Table("/s", 1.0)
    quotes = spy_quotes()
    surface = fit_real_quotes(quotes, table, rounds)
    compare_fits(surface, quotes, table, rounds)
    compare_local_volatility(surface, table, rounds)
    return table.exit_status


if __name__ == "__main__":
    sys.exit(main())
