"""SVI through the real SPY chain."""

import gzip
import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from quantmesh.quant import black_76, local_volatility, svi


def spy_quotes() -> dict[str, Any]:
    """Bid and ask volatilities on days of 365, as `volatility_bid` and `volatility_ask`."""
    chain = json.loads(gzip.decompress((Path(__file__).parent / "data/spy_option_chain.json.gz").read_bytes()))
    start = datetime.fromisoformat(chain["time"])
    columns: dict[str, list[float]] = {
        name: [] for name in ("strike", "time_to_expiry", "forward", "volatility_bid", "volatility_ask")
    }
    for maturity in chain["expiries"]:
        count = len(maturity["strikes"])
        years = (datetime.fromisoformat(maturity["expiry"]) - start).total_seconds() / 86400 / 365
        ratio = math.sqrt(maturity["ttm_360"] / years)
        columns["strike"] += maturity["strikes"]
        columns["time_to_expiry"] += [years] * count
        columns["forward"] += [maturity["forward"]] * count
        columns["volatility_bid"] += [ratio * bid for bid in maturity["bid"]]
        columns["volatility_ask"] += [ratio * ask for ask in maturity["ask"]]
    return {name: np.array(column) for name, column in columns.items()}


def test_the_spy_chain_fits_without_arbitrage() -> None:
    quotes = spy_quotes()
    bid, ask = quotes.pop("volatility_bid"), quotes.pop("volatility_ask")
    fitted = svi.fit(**quotes, volatility=0.5 * (bid + ask), spread=ask - bid)
    assert fitted.parametrization == "svi"
    assert fitted.arbitrage.is_free
    # In volatility points: the quotes are some 0.07 wide, five parameters an expiry leave 0.22.
    assert fitted.rmse < 0.0023
    assert np.mean(np.abs(fitted.residual) <= 0.5 * (ask - bid)) > 0.13
    again = fitted.surface.volatility(quotes["strike"], quotes["time_to_expiry"])
    np.testing.assert_allclose(again - 0.5 * (bid + ask), fitted.residual, atol=1e-12)
    assert fitted.surface.arbitrage() == fitted.arbitrage


def test_the_spy_surface_comes_back_from_its_local_volatility() -> None:
    quotes = spy_quotes()
    bid, ask = quotes.pop("volatility_bid"), quotes.pop("volatility_ask")
    surface = svi.fit(**quotes, volatility=0.5 * (bid + ask), spread=ask - bid).surface
    strikes, times, forwards = quotes["strike"], quotes["time_to_expiry"], quotes["forward"]
    kinds = np.where(strikes < forwards, -1, 1)
    prices = local_volatility.from_surface(surface).price(kinds, strikes, times, 0.02)
    found = np.asarray(black_76.implied_volatility(prices, kinds, forwards, strikes, times, 0.02))
    error = found - np.asarray(surface.volatility(strikes, times))
    assert np.abs(error).max() < 3e-5
    assert np.sqrt(np.mean(error**2)) < 3e-6


def test_the_order_of_quotes_does_not_matter() -> None:
    quotes = spy_quotes()
    bid, ask = quotes.pop("volatility_bid"), quotes.pop("volatility_ask")
    fitted = svi.fit(**quotes, volatility=0.5 * (bid + ask), spread=ask - bid)
    order = np.random.default_rng(1).permutation(bid.size)
    shuffled = svi.fit(
        **{name: column[order] for name, column in quotes.items()},
        volatility=0.5 * (bid + ask)[order],
        spread=(ask - bid)[order],
    )
    np.testing.assert_allclose(shuffled.residual, fitted.residual[order], atol=1e-5)
