"""Heston, ours and the peers in turn on the same inputs: a surface of 2,000 options, and a calibration to 100 quotes.

.venv/bin/python benchmarks/quant_heston.py [--rounds 7]
"""

import argparse
import sys

import numpy as np
from side_by_side import Peer, Table, in_turn, seconds_of

from quantmesh.quant import black_scholes, heston
from quantmesh.quant.calibration import Quotes, calibrate

_DAYS = 365.0
_SPOT, _RATE, _YIELD = 100.0, 0.03, 0.01
_LAW = {"v0": 0.04, "kappa": 2.0, "theta": 0.05, "sigma": 0.5, "rho": -0.7}
_START = {"v0": 0.03, "kappa": 1.0, "theta": 0.03, "sigma": 0.3, "rho": -0.3}
# So many terms of the cosine series, on so many deviations either side, leave an error below 1e-8.
_TERMS, _DEVIATIONS = 256, 14.0


def make_contracts(expiries: int, strikes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sign, strike and days to expiry: out of the money, from a month to three years."""
    days = np.repeat(np.linspace(30, 1095, expiries).round(), strikes)
    strike = np.tile(np.linspace(60.0, 160.0, strikes), expiries)
    return np.where(strike < _SPOT, -1, 1).astype(np.int8), strike, days


def characteristic(u: np.ndarray, years: float) -> np.ndarray:
    """E[exp(iu ln(S_T / F))] as Albrecher et al. (2007) print it."""
    v0, kappa, theta, sigma, rho = _LAW.values()
    b = kappa - 1j * rho * sigma * u
    d = np.sqrt(b * b + sigma**2 * (u * u + 1j * u))
    g = (b - d) / (b + d)
    e = np.exp(-d * years)
    drift = kappa * theta / sigma**2 * ((b - d) * years - 2.0 * np.log((1.0 - g * e) / (1.0 - g)))
    return np.asarray(np.exp(drift + v0 * (b - d) / sigma**2 * (1.0 - e) / (1.0 - g * e)))


def exact_prices(sign: np.ndarray, strike: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Lewis (2001), equation 3.11, by Gauss and Legendre with 40 nodes on intervals that grow away from the poles."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    edges = np.concatenate(([0.0], 0.25 * 2.0 ** np.arange(7), np.arange(32.0, 801.0, 16.0)))
    halves = 0.5 * np.diff(edges)[:, None]
    u = (edges[:-1, None] + halves * (nodes + 1.0)).ravel()
    weights = (halves * weights).ravel()
    prices = np.empty(strike.size)
    for day in np.unique(days):
        rows, years = days == day, day / _DAYS
        forward = _SPOT * np.exp((_RATE - _YIELD) * years)
        transform = weights * characteristic(u - 0.5j, years) / (u * u + 0.25)
        integral = (np.exp(1j * np.log(forward / strike[rows])[:, None] * u) @ transform).real / np.pi
        kept = np.where(sign[rows] > 0, forward, strike[rows])
        prices[rows] = np.exp(-_RATE * years) * (kept - np.sqrt(forward * strike[rows]) * integral)
    return prices


def cosine_prices(sign: np.ndarray, strike: np.ndarray, days: np.ndarray) -> np.ndarray:
    """The cosine method of Fang and Oosterlee (2008) for puts, then parity: one transform per expiry, in NumPy."""
    prices = np.empty(strike.size)
    k = np.arange(_TERMS)
    for day in np.unique(days):
        rows, years = days == day, day / _DAYS
        forward = _SPOT * np.exp((_RATE - _YIELD) * years)
        width = 2.0 * _DEVIATIONS * np.sqrt((_LAW["theta"] + _LAW["sigma"] * 0.05) * years)
        low, u = -0.5 * width, k * np.pi / width
        moneyness = np.log(strike[rows] / forward)
        transform = characteristic(u + 0j, years) * np.exp(-1j * u * low)
        transform[0] *= 0.5
        angle = u * (moneyness[:, None] - low)
        exponential = (
            np.cos(angle) * np.exp(moneyness)[:, None] - np.exp(low) + u * np.sin(angle) * np.exp(moneyness)[:, None]
        ) / (1.0 + u * u)
        constant = np.empty_like(angle)
        constant[:, 0] = moneyness - low
        constant[:, 1:] = np.sin(angle[:, 1:]) / u[1:]
        payoff = 2.0 / width * (strike[rows, None] * constant - forward * exponential)
        put = np.exp(-_RATE * years) * (payoff @ transform.real)
        parity = np.exp(-_RATE * years) * (forward - strike[rows])
        prices[rows] = np.where(sign[rows] > 0, put + parity, put)
    return prices


def compare_surface(rounds: int, table: Table) -> None:
    sign, strike, days = make_contracts(20, 100)
    arguments = (sign, _SPOT, strike, days / _DAYS, _RATE, _YIELD)
    inputs = {"sign": sign, "strike": strike, "days": days, "law": np.array(list(_LAW.values())), **market()}
    with Peer("heston", inputs) as peer:
        times = in_turn(lambda: heston.price(*arguments, **_LAW), lambda: peer.seconds("surface"), rounds)
        theirs = peer.answer("prices")
    table.row("Heston surface, 20 expiries of 100 strikes, to QuantLib", strike.size, times, goal=20)
    times = in_turn(
        lambda: heston.price(*arguments, **_LAW), lambda: seconds_of(lambda: cosine_prices(sign, strike, days)), rounds
    )
    table.row("the same, to the cosine method in NumPy", strike.size, times, goal=1)
    exact = exact_prices(sign, strike, days)
    ours = np.asarray(heston.price(*arguments, **_LAW))
    table.bound("largest error at spot 100, ours", float(np.abs(ours - exact).max()), 1e-8)
    table.bound("largest error, QuantLib", float(np.abs(theirs - exact).max()))
    table.bound("largest error, cosine method", float(np.abs(cosine_prices(sign, strike, days) - exact).max()))


def compare_calibration(rounds: int, table: Table) -> None:
    sign, strike, days = make_contracts(10, 10)
    contract = (sign, _SPOT, strike, days / _DAYS, _RATE, _YIELD)
    volatility = np.asarray(black_scholes.implied_volatility(heston.price(*contract, **_LAW), *contract))
    law = np.array(list(_LAW.values()))

    def fit(starts: int) -> dict[str, float]:
        quotes = Quotes(
            option_type=sign,
            spot=_SPOT,
            strike=strike,
            time_to_expiry=days / _DAYS,
            rate=_RATE,
            dividend_yield=_YIELD,
            implied_volatility=volatility,
        )
        return calibrate("heston", quotes, weights="equal", start=_START, starts=starts).parameters

    inputs = {"strike": strike, "days": days, "volatility": volatility, "start": np.array(list(_START.values()))}
    with Peer("heston", {**inputs, **market()}) as peer:
        times = in_turn(lambda: fit(1), lambda: peer.seconds("calibration"), rounds)
        theirs = peer.answer("law")
        table.row("Heston calibration, 100 quotes, to QuantLib", 1.0, times, goal=5)
        times = in_turn(lambda: fit(2), lambda: peer.seconds("calibration"), rounds)
        table.row("the same, from two starts to QuantLib from one", 1.0, times, goal=1)
    for name, found in (("ours", np.array(list(fit(1).values()))), ("QuantLib", theirs)):
        limit = 1e-6 if name == "ours" else np.inf
        table.bound(f"largest relative error of a parameter, {name}", float(np.abs(found / law - 1.0).max()), limit)


def market() -> dict[str, np.ndarray]:
    return {"spot": np.array(_SPOT), "rate": np.array(_RATE), "dividend_yield": np.array(_YIELD)}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    heston.load_kernels()
    surface = Table("k/s", 1e-3)
    compare_surface(arguments.rounds, surface)
    calibration = Table("fits/s", 1.0)
    compare_calibration(arguments.rounds, calibration)
    return surface.exit_status | calibration.exit_status


if __name__ == "__main__":
    sys.exit(main())
