"""Margins against the rules by hand, the worst of a grid by hand, and cures that pass where one lot less does not."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quantmesh.quant import black_scholes, margin
from quantmesh.quant.book import Book
from quantmesh.quant.errors import DomainError

SPOT, RATE, TIME, VOLATILITY = 100.0, 0.03, 0.5, 0.3


def book(*positions: tuple[str, float, float], spot: float = SPOT, time: float = TIME) -> Book:
    """Of (kind, quantity, strike); options are on 100 shares."""
    kinds, quantities, strikes = zip(*positions, strict=True)
    return Book.of(
        {"X": spot},
        underlying=["X"] * len(kinds),
        instrument=["stock" if kind == "stock" else "european" for kind in kinds],
        option_type=["call" if kind == "stock" else kind for kind in kinds],
        quantity=quantities,
        multiplier=[1.0 if kind == "stock" else 100.0 for kind in kinds],
        strike=strikes,
        time_to_expiry=time,
        volatility=VOLATILITY,
        rate=RATE,
    )


def worth(kind: str, strike: float) -> float:
    return float(black_scholes.price(kind, SPOT, strike, TIME, RATE, 0.0, VOLATILITY))


CASES: dict[str, tuple[Book, str, float, float]] = {
    "long stock": (book(("stock", 200, 0)), "long stock", 200 * 50.0, 200 * 25.0),
    "short stock": (book(("stock", -200, 0)), "short stock", 200 * 50.0, 200 * 30.0),
    "short stock below 16.67": (book(("stock", -100, 0), spot=12.0), "short stock", 600.0, 500.0),
    "short stock below 5": (book(("stock", -100, 0), spot=4.0), "short stock", 400.0, 400.0),
    "short stock below 2.5": (book(("stock", -100, 0), spot=1.0), "short stock", 250.0, 250.0),
    "long call": (book(("call", 3, 110)), "long option", 300 * worth("call", 110), 300 * worth("call", 110)),
    "uncovered call": (book(("call", -2, 110)), "uncovered call", 200 * 10.0, 200 * 10.0),
    "uncovered call in the money": (book(("call", -2, 90)), "uncovered call", 200 * 20.0, 200 * 20.0),
    "uncovered put": (book(("put", -2, 95)), "uncovered put", 200 * 15.0, 200 * 15.0),
    "uncovered put far out": (book(("put", -2, 60)), "uncovered put", 200 * 6.0, 200 * 6.0),
    "covered call": (
        book(("stock", 100, 0), ("call", -1, 105)),
        "covered call",
        100 * (50.0 - worth("call", 105)),
        100 * (25.0 - worth("call", 105)),
    ),
    "covered call in the money": (
        book(("stock", 100, 0), ("call", -1, 80)),
        "covered call",
        100 * (50.0 - worth("call", 80) + 20.0),
        100 * (25.0 - worth("call", 80) + 20.0),
    ),
    "covered put": (
        book(("stock", -100, 0), ("put", -1, 95)),
        "covered put",
        100 * (50.0 - worth("put", 95)),
        100 * (30.0 - worth("put", 95)),
    ),
    "debit spread": (
        book(("call", 1, 95), ("call", -1, 105)),
        "call spread",
        100 * (worth("call", 95) - worth("call", 105)),
        100 * (worth("call", 95) - worth("call", 105)),
    ),
    "credit spread": (
        book(("put", -1, 95), ("put", 1, 90)),
        "put spread",
        100 * (5.0 + worth("put", 90) - worth("put", 95)),
        100 * (5.0 + worth("put", 90) - worth("put", 95)),
    ),
    "straddle": (book(("call", -1, 100), ("put", -1, 100)), "straddle", 100 * 20.0, 100 * 20.0),
}


@pytest.mark.parametrize("name", CASES)
def test_each_rule_requires_what_it_says(name: str) -> None:
    held, rule, initial, maintenance = CASES[name]
    found = margin.regulation_t(held)
    assert [line.rule for line in found.lines] == [rule]
    assert found.initial == pytest.approx(initial, rel=1e-12)
    assert found.maintenance == pytest.approx(maintenance, rel=1e-12)


def test_the_published_requirements_follow_with_proceeds_and_premiums() -> None:
    """Reg T: 150 % of a short sale; an uncovered call the premium and 20 % of the stock less what it is out of it."""
    assert 100 * SPOT + margin.regulation_t(book(("stock", -100, 0))).initial == pytest.approx(1.5 * 100 * SPOT)
    premium = 100 * worth("call", 105)
    uncovered = premium + margin.regulation_t(book(("call", -1, 105))).initial
    assert uncovered == pytest.approx(premium + 0.2 * 100 * SPOT - 500.0)


def test_what_a_pair_leaves_over_stands_alone() -> None:
    found = margin.regulation_t(book(("stock", 250, 0), ("call", -3, 105), ("call", 1, 120)))
    assert [(line.rule, line.units) for line in found.lines] == [
        ("covered call", 250.0),
        ("call spread", 50.0),
        ("long option", 50.0),
    ]
    assert found.initial == pytest.approx(sum(line.initial for line in found.lines))


def test_a_long_option_that_expires_first_covers_nothing() -> None:
    held = Book.of(
        {"X": SPOT},
        underlying="X",
        instrument="european",
        quantity=[-1.0, 1.0],
        strike=[105.0, 110.0],
        time_to_expiry=[0.5, 0.25],
        volatility=VOLATILITY,
        multiplier=100.0,
    )
    assert {line.rule for line in margin.regulation_t(held).lines} == {"uncovered call", "long option"}


def test_a_pair_that_would_require_more_is_not_formed() -> None:
    held = book(("call", -1, 110), ("call", 1, 190))
    assert {line.rule for line in margin.regulation_t(held).lines} == {"uncovered call", "long option"}


def test_options_on_a_broad_index_require_less() -> None:
    held = book(("put", -1, 100))
    assert margin.regulation_t(held, broad_indices={"X"}).initial == pytest.approx(100 * 15.0)


def test_the_grid_finds_the_worst_scenario() -> None:
    held = book(("stock", -300, 0), ("call", -4, 105), ("put", 2, 90))
    found = margin.portfolio(held)
    worst: tuple[float, float, float] = (0.0, 0.0, 0.0)
    for move in margin.PRICE_MOVES:
        for change in margin.VOLATILITY_MOVES:
            spot, volatility = SPOT * (1 + move), VOLATILITY * (1 + change)
            gained = -300 * SPOT * move
            for kind, strike, units in (("call", 105.0, -400), ("put", 90.0, 200)):
                after = float(black_scholes.price(kind, spot, strike, TIME, RATE, 0.0, volatility))
                gained += units * (after - worth(kind, strike))
            worst = max(worst, (-gained, move, change))
    group = found.groups[0]
    assert (group.price_move, group.volatility_move, group.binding) == (worst[1], worst[2], "scan")
    assert found.requirement == pytest.approx(worst[0], rel=1e-12)
    assert group.profits.sum() == pytest.approx(-worst[0], rel=1e-12)


def test_every_option_requires_its_minimum() -> None:
    found = margin.portfolio(book(("call", 10, 180), time=0.05))
    assert found.groups[0].binding == "minimum"
    assert found.requirement == pytest.approx(10 * 37.5)


def test_underlyings_offset_within_their_group_alone() -> None:
    held = Book.of({"A": 100.0, "B": 50.0}, underlying=["A", "B"], quantity=[10.0, -20.0])
    apart = margin.portfolio(held)
    assert apart.requirement == pytest.approx(150.0 + 150.0)
    assert [group.price_move for group in apart.groups] == [-0.15, 0.15]
    together = margin.portfolio(held, product_groups={"A": "tech", "B": "tech"}, offset=0.9)
    assert together.requirement == pytest.approx(150.0 - 0.9 * 150.0)
    assert together.groups[0].underlyings == ("A", "B")


@pytest.mark.parametrize("instrument", ["european", "american"])
def test_hedged_books_require_less_than_their_parts(instrument: Any) -> None:
    strikes, kinds = [100.0, 100.0], ["call", "put"]
    parts = [
        Book.of(
            {"X": SPOT},
            underlying=["X"],
            instrument=instrument,
            option_type=[kind],
            quantity=[-1.0],
            multiplier=100.0,
            strike=[strike],
            time_to_expiry=TIME,
            volatility=VOLATILITY,
            rate=RATE,
        )
        for kind, strike in zip(kinds, strikes, strict=True)
    ]
    whole = Book.of(
        {"X": SPOT},
        underlying="X",
        instrument=instrument,
        option_type=kinds,
        quantity=-1.0,
        multiplier=100.0,
        strike=strikes,
        time_to_expiry=TIME,
        volatility=VOLATILITY,
        rate=RATE,
    )
    alone = [margin.portfolio(part).requirement for part in parts]
    assert margin.portfolio(whole).requirement < sum(alone)


@pytest.mark.parametrize("rules", [margin.regulation_t_requirement, margin.portfolio_requirement])
def test_a_cure_passes_and_one_lot_less_does_not(rules: Any) -> None:
    held = book(("stock", 300, 0), ("call", -12, 105), ("put", -5, 90))
    requirement = rules(held)
    equity = 0.6 * requirement(held.quantity)
    found = margin.shortfall(held, equity, requirement)
    assert found is not None
    assert found.amount == pytest.approx(requirement(held.quantity) - equity)
    assert found.cures
    assert [cure.traded_value for cure in found.cures] == sorted(cure.traded_value for cure in found.cures)
    for cure in found.cures:
        changed = held.quantity.copy()
        changed[cure.position] += cure.quantity_change
        assert requirement(changed) == pytest.approx(cure.requirement)
        assert cure.requirement <= equity
        changed[cure.position] -= math.copysign(1.0, cure.quantity_change)
        assert requirement(changed) > equity


def test_enough_equity_has_no_shortfall() -> None:
    held = book(("stock", 100, 0))
    assert margin.shortfall(held, 2_500.0, margin.regulation_t_requirement(held)) is None
    assert margin.shortfall(held, 2_499.0, margin.regulation_t_requirement(held)) is not None


def test_closing_a_hedge_is_no_cure_and_closing_some_of_all_is() -> None:
    held = book(("call", -10, 100), ("stock", 580, 0))
    requirement = margin.portfolio_requirement(held)
    found = margin.shortfall(held, 3_000.0, requirement)
    assert found is not None
    assert found.cures == ()
    assert found.proportional is not None
    assert requirement(held.quantity * (1.0 - found.proportional)) == pytest.approx(3_000.0)
    broke = margin.shortfall(held, -1.0, requirement)
    assert broke is not None
    assert broke.proportional is None


def test_the_two_ways_to_ask_agree() -> None:
    held = book(("stock", -300, 0), ("call", 4, 105))
    assert margin.portfolio_requirement(held)(held.quantity) == margin.portfolio(held).requirement
    assert margin.regulation_t_requirement(held, initial=True)(held.quantity) == margin.regulation_t(held).initial


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("broad_indices", lambda held: margin.regulation_t(held, broad_indices=["SPX"])),
        ("price_moves", lambda held: margin.portfolio(held, price_moves=[-1.5, 0.0])),
        ("price_moves", lambda held: margin.portfolio(held, price_moves=[])),
        ("volatility_moves", lambda held: margin.portfolio(held, volatility_moves=[math.nan])),
        ("minimum_per_unit", lambda held: margin.portfolio(held, minimum_per_unit=-1.0)),
        ("offset", lambda held: margin.portfolio(held, offset=1.1)),
        ("product_groups", lambda held: margin.portfolio(held, product_groups={"Y": "tech"})),
        ("equity", lambda held: margin.shortfall(held, math.nan, lambda _: 1.0)),
        ("lot", lambda held: margin.shortfall(held, 0.0, lambda _: 1.0, lot=0.0)),
    ],
)
def test_what_is_out_of_domain_is_named(argument: str, call: Callable[[Book], object]) -> None:
    with pytest.raises(DomainError) as caught:
        call(book(("stock", 1, 0)))
    assert caught.value.argument == argument


def test_an_empty_book_requires_nothing() -> None:
    nothing = book(("stock", 1, 0)).where(np.zeros(1, bool))
    assert margin.regulation_t(nothing).initial == 0.0
    assert margin.portfolio(nothing).requirement == 0.0
