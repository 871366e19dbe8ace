"""What the package carries: files, notices, and that no heavy package is needed for it."""

import subprocess
import sys
from importlib.resources import files

import pytest

from quantmesh.market.adapters.bundled import LAST_SESSION, BundledProvider, load_calendars
from quantmesh.market.core.model import Adjustment
from quantmesh.market.core.parse_bars import parse_bars

DATA = files("quantmesh.market").joinpath("data")
EXTRACTS = sorted(
    item.name for item in DATA.iterdir() if not item.name.endswith(".NOTICE") and item.name != "catalogue.json"
)


@pytest.mark.parametrize("name", EXTRACTS)
def test_every_file_is_small_and_says_where_it_comes_from(name: str) -> None:
    assert len(DATA.joinpath(name).read_bytes()) <= 500 * 1024
    notice = DATA.joinpath(f"{name}.NOTICE").read_text()
    for word in ("Package:", "Licence:", "Upstream:"):
        assert word in notice


def test_total_returns_and_raw_prices_of_a_stock_are_two_series() -> None:
    listings = {listing.symbol: listing for listing in BundledProvider().listings()}
    assert listings["AAPL"].adjustment is Adjustment.TOTAL_RETURN
    assert listings["AAPL"].tradable
    assert listings["AAPL-RAW"].adjustment is Adjustment.RAW
    assert not listings["AAPL-RAW"].tradable
    provider = BundledProvider()
    both = {symbol: {row.date: row.close for row in provider.bars(symbol)} for symbol in ("AAPL", "AAPL-RAW")}
    assert (both["AAPL"]["2000-03-01"], both["AAPL-RAW"]["2000-03-01"]) == ("0.989", "130.31")


def test_whatever_is_tradable_has_closes_to_the_end_of_the_replay() -> None:
    provider, calendar = BundledProvider(), load_calendars()["XNYS"]
    tradable = [listing.symbol for listing in provider.listings() if listing.tradable]
    assert set(tradable) <= set(provider.symbols())
    for symbol in tradable:
        parsed = parse_bars(provider.bars(symbol), calendar)
        assert parsed.bars[-1].day == LAST_SESSION
        assert not parsed.rejections


def test_a_symbol_can_be_read_twice() -> None:
    provider = BundledProvider()
    assert provider.bars("AAPL") == provider.bars("AAPL")
    assert provider.bars("SPY") == []


def test_reading_it_imports_neither_pandas_nor_the_packages_it_came_from() -> None:
    program = (
        "import sys; from quantmesh.market.adapters.bundled import BundledProvider, load_calendars;"
        "load_calendars(); BundledProvider().bars('AAPL'); BundledProvider().chains();"
        "print(sorted({'pandas', 'exchange_calendars', 'skfolio', 'arch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
