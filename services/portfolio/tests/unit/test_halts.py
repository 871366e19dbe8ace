"""Breakers as rules over prices and market time, and what a halt covers."""

import itertools
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import numpy as np
import pytest

from quantmesh.portfolio.core.errors import InvalidHalt
from quantmesh.portfolio.core.halts.index_fall import IndexFall, IndexRule
from quantmesh.portfolio.core.halts.model import Halt, HaltKind, HaltRequest, Trip, halt_of
from quantmesh.portfolio.core.halts.price_band import BandRule, PriceBand

OPEN = datetime(2022, 12, 20, 14, 30, tzinfo=UTC)
RULE = BandRule(
    width=Decimal("0.1"),
    reference_window=timedelta(minutes=5),
    limit_state=timedelta(seconds=15),
    halt=timedelta(minutes=5),
)
INDEX = IndexRule("QUAL", (Decimal("0.07"), Decimal("0.13"), Decimal("0.2")), timedelta(minutes=15))
CLOSE = Decimal(100)


def after(seconds: float) -> datetime:
    return OPEN + timedelta(seconds=seconds)


def band_after(prices: list[tuple[float, str]]) -> tuple[PriceBand, list[Trip | None]]:
    band = PriceBand("AAPL", RULE)
    return band, [band.on_price(after(seconds), Decimal(price)) for seconds, price in prices]


CALM: list[tuple[float, str]] = [(0, "100"), (60, "102"), (120, "98")]


def test_a_price_that_stays_outside_the_band_for_the_limit_state_halts_the_symbol() -> None:
    band, trips = band_after([*CALM, (125, "110.01"), (135, "111"), (139.9, "112")])
    assert trips == [None] * 6
    assert band.in_limit_state
    trip = band.on_price(after(140), Decimal(115))
    cause = "115 is 15 % above the average of 5 minutes, 100; the band is 10 %"
    assert trip == Trip("AAPL", cause, after(140), after(140 + 300))


@pytest.mark.parametrize(("edge", "outside"), [("110", "110.000001"), ("90", "89.999999")])
def test_the_band_includes_its_edges_on_both_sides(edge: str, outside: str) -> None:
    band, _ = band_after([*CALM, (121, edge)])
    assert not band.in_limit_state
    band, _ = band_after([*CALM, (121, outside)])
    assert band.in_limit_state


def test_a_price_that_comes_back_in_time_halts_nothing() -> None:
    band, trips = band_after([*CALM, (125, "80"), (139, "99"), (141, "80"), (155, "80")])
    assert trips == [None] * 7
    assert band.in_limit_state, "the second time outside began at 141"
    assert band.on_price(after(156), Decimal(80)) is not None


def test_prices_outside_do_not_move_their_own_reference() -> None:
    _, trips = band_after([(0, "100"), (1, "120"), (2, "120"), (3, "120"), (16, "120")])
    assert trips[:4] == [None] * 4
    assert trips[4] is not None
    assert "the average of 5 minutes, 100;" in trips[4].cause


def test_after_a_halt_the_next_price_is_a_reference_of_its_own() -> None:
    band, _ = band_after([(0, "100"), (1, "150"), (16, "150")])
    assert band.on_price(after(400), Decimal(150)) is None
    assert not band.in_limit_state


def test_a_jump_overnight_is_no_move_within_minutes() -> None:
    band, _ = band_after(CALM)
    tomorrow = OPEN + timedelta(days=1)
    assert [band.on_price(tomorrow + timedelta(minutes=n), Decimal(50)) for n in range(3)] == [None] * 3
    assert not band.in_limit_state


def test_a_slow_rise_moves_the_reference_along() -> None:
    _, trips = band_after([(60.0 * n, str(100 * Decimal("1.015") ** n)) for n in range(60)])
    assert trips == [None] * 60


def test_a_feed_slower_than_the_window_is_held_to_its_last_price() -> None:
    band, _ = band_after([(0, "100"), (600, "105")])
    assert not band.in_limit_state
    assert band.on_price(after(1200), Decimal(120)) is None
    assert band.on_price(after(1800), Decimal(120)) is not None


def test_a_feed_that_is_rewound_begins_anew() -> None:
    band, _ = band_after(CALM)
    assert band.on_price(after(-3600), Decimal(50)) is None
    assert not band.in_limit_state


def test_the_reference_is_the_mean_of_the_window_by_a_recount() -> None:
    """Against fractions summed anew at each price."""
    random = np.random.default_rng(5)
    band = PriceBand("AAPL", RULE)
    kept: list[tuple[datetime, Fraction]] = []
    since: datetime | None = None
    trips = 0
    moment, price = OPEN, 100.0
    for _ in range(3000):
        moment += timedelta(seconds=int(random.choice([1, 4, 20])))
        price *= math.exp(random.normal(0, 0.03))
        shown = Decimal(str(round(price, 2)))
        trip = band.on_price(moment, shown)
        if kept and kept[-1][0].date() != moment.date():
            kept, since = [], None
        kept = [item for item in kept if item[0] >= moment - RULE.reference_window] or kept[-1:]
        mean = sum((value for _, value in kept), Fraction(0)) / len(kept) if kept else Fraction(shown)
        if abs(Fraction(shown) - mean) <= Fraction(RULE.width) * mean:
            kept, since = [*kept, (moment, Fraction(shown))], None
        else:
            since = since or moment
        expected = since is not None and moment - since >= RULE.limit_state
        assert (trip is not None) == expected
        if expected:
            kept, since, trips = [], None, trips + 1
    assert trips > 20


def test_each_level_of_the_index_halts_the_market_once_a_day() -> None:
    fall = IndexFall(INDEX)
    prices = ["100", "93.01", "93", "92", "96", "92", "87", "86"]
    trips = [fall.on_price(after(60 * n), Decimal(price), CLOSE) for n, price in enumerate(prices)]
    assert [trip.level if trip else 0 for trip in trips] == [0, 0, 1, 0, 0, 0, 2, 0]
    assert trips[2] == Trip(
        "", "QUAL at 93 is 7 % below its last close of 100: level 1 of 3", after(120), after(120 + 900), 1
    )


def test_the_last_level_holds_for_the_rest_of_the_day() -> None:
    trip = IndexFall(INDEX).on_price(OPEN, Decimal(79), CLOSE)
    assert trip is not None
    assert (trip.level, trip.lifts_at) == (3, datetime(2022, 12, 21, tzinfo=UTC))


def test_levels_taken_before_a_restart_do_not_halt_again_on_that_day() -> None:
    fall = IndexFall(INDEX, day=date(2022, 12, 20), taken=1)
    assert fall.on_price(OPEN, Decimal(92), CLOSE) is None
    assert fall.on_price(OPEN + timedelta(days=1), Decimal(92), CLOSE) is not None


@pytest.mark.parametrize("levels", [(), ("0",), ("0.2", "0.1"), ("0.1", "0.1"), ("1",)])
def test_levels_that_make_no_sense_are_refused(levels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="fractions between 0 and 1 that grow"):
        IndexRule("QUAL", tuple(map(Decimal, levels)), timedelta(minutes=15))


def halt(kind: HaltKind, symbol: str = "", number: int = 1, lifts_at: datetime | None = None) -> Halt:
    return Halt(UUID(int=number), kind, symbol, "a test", "someone", OPEN, lifts_at=lifts_at)


def test_a_halt_covers_its_symbol_or_the_whole_market_and_the_kill_switch_goes_first() -> None:
    breaker, market, switch = (
        halt(HaltKind.BREAKER, "AAPL"),
        halt(HaltKind.OPERATOR, "", 2),
        halt(HaltKind.KILL_SWITCH, "", 3),
    )
    assert halt_of([breaker], "MSFT") is None
    assert halt_of([breaker], "AAPL") is breaker
    assert halt_of([market], "MSFT") is market
    for order in itertools.permutations([breaker, market, switch]):
        assert halt_of(order, "AAPL") is switch


def test_a_reason_says_what_is_halted_why_and_until_when() -> None:
    assert halt(HaltKind.BREAKER, "AAPL", lifts_at=after(300)).reason == (
        "trading in AAPL is halted, until 2022-12-20T14:35:00Z of market time: a test"
    )
    assert halt(HaltKind.OPERATOR).reason == "trading in the whole market is halted: a test"
    assert halt(HaltKind.KILL_SWITCH).reason == "the kill switch of the whole market is on: a test"


@pytest.mark.parametrize(
    ("fields", "violation"),
    [
        ({"kind": HaltKind.BREAKER}, "kind: breaker is imposed by its rule alone"),
        ({"cause": "  "}, "cause: say why"),
        ({"cause": "x" * 501}, "cause: say why"),
        ({"cause": "a\x00b"}, "cause: say why"),
        ({"symbol": "aapl"}, "symbol: 'aapl' is not a symbol"),
    ],
)
def test_what_makes_no_halt_is_refused_by_field(fields: dict[str, object], violation: str) -> None:
    asked: dict[str, object] = {"kind": HaltKind.OPERATOR, "cause": "a test", **fields}
    with pytest.raises(InvalidHalt, match=violation):
        HaltRequest(**asked)  # type: ignore[arg-type]  # fields by name, some of them wrong on purpose
