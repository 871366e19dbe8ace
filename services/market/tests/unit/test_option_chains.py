"""Chains in this platform's terms say the same prices as their source."""

import gzip
import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from statistics import NormalDist

import pytest

from quantmesh.market.adapters.bundled import BundledProvider
from quantmesh.market.core.option_chains import OptionChain, option_symbol, volatility_on_other_base

_NORMAL = NormalDist()


def black(forward: float, strike: float, volatility: float, years: float, discount_factor: float, kind: str) -> float:
    """Black (1976), written out anew."""
    deviation = volatility * math.sqrt(years)
    d1 = math.log(forward / strike) / deviation + deviation / 2
    sign = 1 if kind == "call" else -1
    undiscounted = forward * _NORMAL.cdf(sign * d1) - strike * _NORMAL.cdf(sign * (d1 - deviation))
    return discount_factor * sign * undiscounted


@pytest.fixture(scope="module")
def chains() -> dict[str, OptionChain]:
    return {chain.underlying: chain for chain in BundledProvider().chains()}


def test_all_quotes_of_the_source_are_there(chains: dict[str, OptionChain]) -> None:
    counts = {name: len(chain.quotes) for name, chain in chains.items()}
    assert counts == {"SPY": 427, "SQQQ": 232, "GLD": 154, "VIX": 92, "BTC-USD": 49}


@pytest.mark.parametrize("underlying", ["SPY", "SQQQ", "GLD", "VIX", "BTC-USD"])
def test_every_price_is_that_of_the_source(chains: dict[str, OptionChain], underlying: str) -> None:
    data = files("quantmesh.market").joinpath("data", "option_chains.json.gz").read_bytes()
    source = json.loads(gzip.decompress(data))[underlying]
    raw = [
        (maturity["forward"], strike, volatility, maturity["ttm_360"], maturity["discount_factor"], kind)
        for maturity in source["expiries"]
        for strike, volatility, kind in zip(maturity["strikes"], maturity["ask"], maturity["types"], strict=True)
    ]
    for quote, (forward, strike, volatility, years, discount_factor, kind) in zip(
        chains[underlying].quotes, raw, strict=True
    ):
        kind_in_full = {"C": "call", "P": "put"}[kind]
        expected = black(forward, strike, volatility, years, discount_factor, kind_in_full)
        ours = black(
            quote.forward,
            float(quote.contract.strike),
            quote.ask_implied_volatility,
            quote.time_to_expiry,
            quote.discount_factor,
            quote.contract.option_type,
        )
        assert ours == pytest.approx(expected, rel=1e-12)


def test_time_to_expiry_is_actual_365_from_the_snapshot_to_the_hour_of_expiry(chains: dict[str, OptionChain]) -> None:
    for chain in chains.values():
        for quote in chain.quotes:
            days = (quote.contract.expiry - chain.time) / timedelta(days=1)
            assert quote.time_to_expiry == pytest.approx(days / 365, rel=1e-12)
    first = chains["SPY"].quotes[0].contract
    assert (first.expiry, first.exercise) == (datetime(2022, 8, 5, 20, tzinfo=UTC), "american")


def test_the_spot_of_spy_is_what_it_traded_at_that_morning(chains: dict[str, OptionChain]) -> None:
    # SPY's range on 2022-07-15 was 380.54 to 385.25, its close 385.13: the chain was not taken at the close.
    assert 380.54 < chains["SPY"].spot < 384


def test_symbols_are_osi_without_padding() -> None:
    expiry = datetime(2025, 12, 19, 21, tzinfo=UTC)
    assert option_symbol("AAPL", expiry, "call", Decimal(190)) == "AAPL251219C00190000"
    assert option_symbol("VIX", expiry, "put", Decimal("32.5")) == "VIX251219P00032500"
    assert option_symbol("BTC", expiry, "put", Decimal(250_000)) == "BTC251219P250000000"
    with pytest.raises(ValueError, match="finer than a thousandth"):
        option_symbol("AAPL", expiry, "call", Decimal("1.0005"))


def test_every_contract_has_a_symbol_of_its_own(chains: dict[str, OptionChain]) -> None:
    symbols = [quote.contract.symbol for chain in chains.values() for quote in chain.quotes]
    assert len(set(symbols)) == len(symbols)


def test_a_volatility_without_time_is_refused() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        volatility_on_other_base(0.2, 0.0, 1.0)
