"""Target weights as whole-lot trades: apportioned, affordable, and within what may be realised."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quantmesh.portfolio.core.currency_cash import Till
from quantmesh.portfolio.core.planned_positions import Candidate
from quantmesh.portfolio.core.rebalance import Plan, Wishes, plan_rebalance

ZERO = Decimal(0)


def no_fee(gross: Decimal) -> Decimal:
    return ZERO


def fee_of(points: int, least: str) -> Callable[[Decimal], Decimal]:
    return lambda gross: max(gross * points / 10_000, Decimal(least))


def candidate(symbol: str, target: str, held: str = "0", price: str = "100", **more: Any) -> Candidate:
    """A price, and half a spread on either side of it; what is held cost `cost` a unit."""
    last, half, cost = Decimal(price), Decimal(more.get("half_spread", "0")), Decimal(more.get("cost", price))
    sell_price = last - half
    return Candidate(
        symbol=symbol,
        currency="USD",
        rate=Decimal(1),
        target=Decimal(target),
        held=Decimal(held),
        sellable=Decimal(more.get("sellable", held)),
        lot_size=Decimal(more.get("lot_size", "1")),
        price=last,
        buy_price=last + half,
        sell_price=sell_price,
        gain=lambda quantity: quantity * (sell_price - cost),
        fee_of=no_fee,
    )


def planned(
    candidates: Sequence[Candidate], cash: Decimal, wishes: Wishes, fee: Callable[[Decimal], Decimal] = no_fee
) -> Plan:
    """In dollars alone."""
    return plan_rebalance(
        [replace(each, fee_of=fee) for each in candidates], [Till("USD", Decimal(1), cash)], "USD", wishes
    )


def quantities(plan: Plan) -> dict[str, float]:
    return {trade.position.candidate.symbol: float(trade.position.quantity) for trade in plan.trades}


def test_cash_becomes_the_targets_in_whole_lots_by_largest_remainders() -> None:
    """1,000 in thirds of 333.33: 3.33, 4.76 and 11.11 units. Of the 90 left, B has most cut off and takes 70."""
    candidates = [
        candidate("A", "0.333333", price="100"),
        candidate("B", "0.333333", price="70"),
        candidate("C", "0.333333", price="30"),
    ]
    plan = planned(candidates, Decimal(1000), Wishes())
    assert quantities(plan) == {"A": 3, "B": 5, "C": 11}
    assert plan.cash_after == 1000 - 300 - 350 - 330


def test_a_held_instrument_without_a_target_is_sold_and_pays_for_the_others() -> None:
    candidates = [candidate("A", "0", "10"), candidate("B", "1", price="50")]
    plan = planned(candidates, ZERO, Wishes())
    assert quantities(plan) == {"A": -10, "B": 20}
    assert [plan.drift, plan.drift_after, plan.cash_after] == [Decimal(1), ZERO, ZERO]


def test_what_is_on_target_is_left_alone() -> None:
    candidates = [candidate("A", "0.5", "5"), candidate("B", "0.5", "10", price="50")]
    assert planned(candidates, ZERO, Wishes(), fee_of(10, "1")).trades == []


def test_the_buffer_stays_and_weights_are_of_the_rest() -> None:
    plan = planned([candidate("A", "1")], Decimal(1000), Wishes(cash_buffer=Decimal(300)))
    assert quantities(plan) == {"A": 7}
    assert [plan.cash_after, plan.invested] == [Decimal(300), Decimal(700)]
    assert plan.trades[0].weight_after == 1


def test_fees_and_spread_are_paid_out_of_the_purchases() -> None:
    plan = planned([candidate("A", "1", half_spread="1")], Decimal(1000), Wishes(), fee_of(100, "5"))
    (trade,) = [each.position for each in plan.trades]
    numbers = [trade.quantity, trade.fill_price, trade.fee, trade.slippage]
    assert numbers == [Decimal(9), Decimal(101), Decimal("9.09"), Decimal(9)]
    assert plan.cash_after == 1000 - 909 - Decimal("9.09")


def test_trades_below_the_least_amount_are_left_out() -> None:
    candidates = [candidate("A", "0.49", "50"), candidate("B", "0.51", "50")]
    assert quantities(planned(candidates, ZERO, Wishes())) == {"A": -1, "B": 1}
    assert planned(candidates, ZERO, Wishes(minimum_trade=Decimal(101))).trades == []


def test_a_sale_that_its_fee_would_eat_up_is_left_out() -> None:
    plan = planned([candidate("A", "0", "3", price="0.10")], Decimal(100), Wishes(), fee_of(0, "1"))
    assert plan.trades == []


def test_gains_stay_within_what_may_be_realised_and_losses_make_room() -> None:
    """A would realise 400 on ten units, B loses 100: with nothing to spare A is sold for 100 of gain."""
    candidates = [
        candidate("A", "0", "10", cost="60"),
        candidate("B", "0", "10", cost="110"),
        candidate("C", "1"),
    ]
    free = planned(candidates, ZERO, Wishes())
    assert quantities(free) == {"A": -10, "B": -10, "C": 20}
    capped = planned(candidates, ZERO, Wishes(maximum_gain=ZERO))
    assert quantities(capped) == {"A": -2, "B": -10, "C": 12}
    assert capped.realized_gain == -20
    some = planned(candidates, ZERO, Wishes(maximum_gain=Decimal(100)))
    assert quantities(some) == {"A": -5, "B": -10, "C": 15}


def test_a_loss_that_is_too_small_to_take_makes_no_room() -> None:
    candidates = [
        candidate("A", "0", "10", cost="60"),
        candidate("B", "0", "1", cost="500"),
        candidate("C", "1"),
    ]
    wishes = Wishes(minimum_trade=Decimal(150), maximum_gain=ZERO)
    assert planned(candidates, ZERO, wishes).trades == []


def test_what_open_orders_keep_is_not_sold() -> None:
    plan = planned([candidate("A", "0", "10", sellable="4")], ZERO, Wishes())
    assert quantities(plan) == {"A": -4}


def test_a_part_of_a_lot_is_left_where_it_lies() -> None:
    plan = planned([candidate("A", "0", "10.5")], ZERO, Wishes())
    assert quantities(plan) == {"A": -10}


@pytest.mark.parametrize(("cash", "buffer"), [("100", "500"), ("-50", "0"), ("0", "0")])
def test_without_money_to_invest_nothing_is_bought(cash: str, buffer: str) -> None:
    plan = planned([candidate("A", "1")], Decimal(cash), Wishes(cash_buffer=Decimal(buffer)), fee_of(1, "1"))
    assert plan.trades == []
    assert plan.cash_after == Decimal(cash)


@st.composite
def books(draw: st.DrawFn) -> list[Candidate]:
    count = draw(st.integers(1, 5))
    parts = draw(st.lists(st.integers(0, 40), min_size=count, max_size=count))
    assume(sum(parts) <= 100)
    return [
        candidate(
            f"S{index}",
            f"0.{part:02}" if part < 100 else "1",
            str(draw(st.integers(0, 60))),
            str(draw(st.integers(1, 500))),
            half_spread=draw(st.sampled_from(["0", "0.05", "0.5"])),
            lot_size=draw(st.sampled_from(["1", "1", "10", "0.01"])),
            cost=str(draw(st.integers(1, 500))),
        )
        for index, part in enumerate(parts)
    ]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    candidates=books(),
    cash=st.integers(0, 20_000),
    buffer=st.sampled_from([0, 100, 5_000]),
    minimum=st.sampled_from([0, 50]),
    gain=st.sampled_from([None, 0, 500]),
    fee=st.sampled_from([no_fee, fee_of(1, "0.01"), fee_of(50, "5")]),
)
def test_a_plan_never_overspends_and_keeps_what_was_asked(
    candidates: list[Candidate],
    cash: int,
    buffer: int,
    minimum: int,
    gain: int | None,
    fee: Callable[[Decimal], Decimal],
) -> None:
    wishes = Wishes(Decimal(buffer), Decimal(minimum), None if gain is None else Decimal(gain))
    plan = planned(candidates, Decimal(cash), wishes, fee)
    left = Decimal(cash)
    for trade in (each.position for each in plan.trades):
        each = trade.candidate
        assert trade.quantity
        assert trade.quantity % each.lot_size == 0
        assert -trade.quantity <= each.sellable
        assert abs(trade.quantity) * each.price >= minimum
        gross = abs(trade.quantity) * trade.fill_price
        cents = gross.quantize(Decimal("0.01"), ROUND_HALF_EVEN if trade.quantity < 0 else ROUND_CEILING)
        left += (cents if trade.quantity < 0 else -cents) - fee(gross)
    assert left == plan.cash_after
    assert left >= 0
    if any(trade.position.lots > 0 for trade in plan.trades):
        assert left >= buffer
    if gain is not None:
        assert plan.realized_gain <= gain


@settings(max_examples=200, deadline=None, derandomize=True)
@given(candidates=books(), cash=st.integers(0, 20_000))
def test_without_costs_every_holding_ends_within_a_lot_of_its_target(candidates: list[Candidate], cash: int) -> None:
    free = [candidate(each.symbol, str(each.target), str(each.held), str(each.price)) for each in candidates]
    plan = planned(free, Decimal(cash), Wishes())
    traded = quantities(plan)
    for each in free:
        ideal = each.target * plan.invested / each.price
        assert abs(each.held + Decimal(traded.get(each.symbol, 0)) - ideal) < each.lot_size
