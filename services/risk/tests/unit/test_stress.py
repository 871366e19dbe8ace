"""Episodes and shocks on a book of today."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from quantmesh.quant import black_scholes
from quantmesh.quant.stress import Shock
from quantmesh.risk.core.episodes import EPISODES, episode_of
from quantmesh.risk.core.errors import EpisodeNotCovered, NotMeasurable, OutOfDomain, UnknownChoice
from quantmesh.risk.core.model import Book, History, Position
from quantmesh.risk.core.options import Option
from quantmesh.risk.core.stress import custom_stress, episode_stress, reverse_stress

NOW = datetime(2022, 10, 3, 20, tzinfo=UTC)
PUT = Option("put", "european", 95.0, 0.5, 0.25, 100.0)
HISTORY = History(("AAPL",), np.array([[99.0], [101.0], [100.0]]), NOW)
BOOK = Book.in_one_currency(
    [(Position("AAPL", Decimal(100)), "USD"), (Position("AAPL", Decimal(1), PUT), "USD")], cash={}
)


def window(first: date, closes: list[float]) -> History:
    days = tuple(first + timedelta(days=day) for day in range(len(closes)))
    return History(("AAPL",), np.array(closes)[:, None], NOW, days)


def put(spot: float, volatility: float = 0.25, rate: float = 0.02) -> float:
    return float(black_scholes.price("put", spot, 95.0, 0.5, rate, 0.0, volatility))


def test_episodes_lie_in_the_history_that_comes_with_the_market_and_last() -> None:
    for name, episode in EPISODES.items():
        assert episode.name == name
        assert date(1990, 1, 2) <= episode.first < episode.last <= date(2022, 12, 28)
        assert episode.first.weekday() < 5
        assert episode.last.weekday() < 5
    with pytest.raises(UnknownChoice, match="covid"):
        episode_of("tulips", "episodes[0]")


def test_todays_book_goes_through_the_moves_of_then() -> None:
    covid = replace(EPISODES["covid"], last=EPISODES["covid"].first + timedelta(days=3))
    found = episode_stress(BOOK, HISTORY, 0.02, covid, window(covid.first, [50.0, 40.0, 35.0, 45.0]))
    assert (found.first_day, found.last_day) == (covid.first, covid.last)
    assert found.spot_moves == pytest.approx([-0.1])
    assert found.last.profits == pytest.approx([-1_000.0, 100.0 * (put(90.0) - put(100.0))])
    assert found.worst_day == covid.first + timedelta(days=2)
    assert found.worst.profits[0] == pytest.approx(-3_000.0)


def test_closes_that_begin_later_or_end_earlier_are_no_episode() -> None:
    covid = EPISODES["covid"]
    for first, closes in ((covid.first + timedelta(days=6), [1.0] * 28), (covid.first, [1.0] * 20)):
        with pytest.raises(EpisodeNotCovered, match="2020-02-19 to 2020-03-23"):
            episode_stress(BOOK, HISTORY, 0.0, covid, window(first, closes))


def test_shocks_move_spots_volatilities_and_the_rate() -> None:
    shocks = {"AAPL": Shock(spot_move=-0.1, spot_shift=5.0, volatility_move=0.2, volatility_shift=0.05)}
    found = custom_stress(BOOK, HISTORY, 0.02, shocks, 0.01, 0.0)
    assert found.profits == pytest.approx([-500.0, 100.0 * (put(95.0, 0.25 * 1.2 + 0.05, 0.03) - put(100.0))])
    assert found.profit == pytest.approx(found.profits.sum())


def test_a_shock_below_nothing_is_refused_by_its_place() -> None:
    for shock, field in (
        (Shock(spot_move=-0.5, spot_shift=-60.0), "shocks.AAPL"),
        (Shock(volatility_move=-1.5), "shocks.AAPL.volatility_move"),
    ):
        with pytest.raises(OutOfDomain) as caught:
            custom_stress(BOOK, HISTORY, 0.02, {"AAPL": shock}, 0.0, 0.0)
        assert [violation.field for violation in caught.value.violations] == [field]


def test_a_shock_outside_a_wide_book_names_a_part_of_it() -> None:
    symbols = tuple(f"S{number}" for number in range(1_000))
    wide = Book.of({symbol: (Decimal(1), "USD") for symbol in symbols}, cash={})
    history = History(symbols, np.full((2, len(symbols)), 100.0), NOW)
    with pytest.raises(UnknownChoice, match=r"names TSLA, which is not among S0, .* and 980 more"):
        custom_stress(wide, history, 0.0, {"TSLA": Shock(spot_move=-0.1)}, 0.0, 0.0)


def test_the_likeliest_loss_of_one_asset_is_its_own_fall() -> None:
    long = Book.of({"AAPL": (Decimal(10), "USD")}, cash={})
    found = reverse_stress(long, HISTORY, 0.0, 100.0, "sample", 2)
    assert found.spot_moves == pytest.approx([-0.1])
    assert found.distance == pytest.approx(0.1 / HISTORY.returns.std(ddof=1))
    with pytest.raises(OutOfDomain) as caught:
        reverse_stress(long, HISTORY, 0.0, 2_000.0, "sample", 2)
    assert [violation.field for violation in caught.value.violations] == ["reverse.loss"]
    still = History(HISTORY.symbols, np.full_like(HISTORY.closes, 100.0), NOW)
    with pytest.raises(NotMeasurable, match="AAPL did not move"):
        reverse_stress(long, still, 0.0, 100.0, "sample", 2)
    with pytest.raises(OutOfDomain, match=r"^reverse\.observations must be enough to estimate from.*; it is 2\.$"):
        reverse_stress(long, HISTORY, 0.0, 100.0, "garch_dcc", 2)
