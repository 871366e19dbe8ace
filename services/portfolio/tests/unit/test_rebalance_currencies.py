"""Target weights in several currencies: each pays for its own purchases, and what would pay for the rest is told."""

from dataclasses import replace
from decimal import Decimal

from quantmesh.portfolio.core.currency_cash import Conversion
from quantmesh.portfolio.core.numbers import to_stored
from quantmesh.portfolio.core.rebalance import Plan

from .rebalance_samples import candidate, planned


def quantities(plan: Plan) -> dict[str, float]:
    return {trade.position.candidate.symbol: float(trade.position.quantity) for trade in plan.trades}


def rows(plan: Plan) -> dict[str, list[Decimal]]:
    """Before, proceeds, purchases, fees, after, shortfall."""
    return {
        each.till.currency: [each.till.cash, each.proceeds, each.purchases, each.fees, each.after, each.shortfall]
        for each in plan.cash_by_currency
    }


def converted(plan: Plan) -> Conversion:
    assert plan.conversion is not None
    return plan.conversion


def test_a_currency_without_the_cash_for_its_purchases_says_what_would_pay_for_them() -> None:
    """11,100 dollars in halves of 5,550: 55.5 A and 100.909 S of 55 dollars, as lots 55 and 101.

    The 101 S cost 5,050 euros and 1,000 are there: 20 of them. The 81 others cost 4,050 euros, 4,455 dollars.
    """
    candidates = [candidate("A", "USD", "0.5", "100"), candidate("S", "EUR", "0.5", "50")]
    plan = planned(candidates, {"USD": "10000", "EUR": "1000"})
    assert quantities(plan) == {"A": 55, "S": 20}
    assert rows(plan) == {"USD": [10_000, 0, 5_500, 0, 4_500, 0], "EUR": [1_000, 0, 1_000, 0, 0, 4_050]}
    assert [plan.invested, plan.cash, plan.cash_after] == [11_100, 11_100, 4_500]
    conversion = converted(plan)
    assert [conversion.withdrawals, conversion.deposits] == [{"USD": 4_455}, {"EUR": 4_050}]
    assert [(each.candidate.symbol, float(each.quantity)) for each in conversion.purchases] == [("S", 81)]
    assert [float(trade.weight_after) for trade in plan.trades] == [5_500 / 11_100, 1_100 / 11_100]


def test_a_sale_pays_for_purchases_in_its_own_currency_without_any_conversion() -> None:
    candidates = [candidate("S", "EUR", "0", "50", "20"), candidate("T", "EUR", "1", "10")]
    plan = planned(candidates, {"USD": "0", "EUR": "0"})
    assert quantities(plan) == {"S": -20, "T": 100}
    assert rows(plan)["EUR"] == [0, 1_000, 1_000, 0, 0, 0]
    assert plan.conversion is None
    assert [plan.drift, plan.drift_after] == [1, 0]


def test_three_currencies_with_their_own_lots_and_fees() -> None:
    """2,250 dollars of T, 2,200 of S and 550 in cash: 5,000. T has to fall to 750, two lots of a hundred, and A to get
    2,050, 41 units; fees of 200 yen and 2.05 dollars leave 40. Dollars pay for ten, since eleven cost 551 with the
    least fee; the other thirty cost 1,501.50 where 49 are left, which is 193,666.67 yen."""
    candidates = [
        candidate("A", "USD", "0.41", "50", fee=""),
        candidate("S", "EUR", "0.44", "40", "50", fee=""),
        candidate("T", "JPY", "0.15", "1000", "300", lot_size="100", fee=""),
    ]
    plan = planned(candidates, {"USD": "550", "EUR": "0", "JPY": "0"})
    assert quantities(plan) == {"A": 10, "T": -200}
    assert rows(plan) == {
        "USD": [550, 0, 500, 1, 49, Decimal("1452.50")],
        "EUR": [0, 0, 0, 0, 0, 0],
        "JPY": [0, 200_000, 0, 200, 199_800, 0],
    }
    assert [plan.fees, plan.cash_after] == [Decimal("2.50"), Decimal("1547.50")]
    conversion = converted(plan)
    assert [conversion.withdrawals, conversion.deposits] == [{"JPY": 193_667}, {"USD": Decimal("1452.50")}]
    assert [each.quantity for each in conversion.purchases] == [30]


def test_base_currency_is_converted_first_and_the_rest_comes_from_what_has_most() -> None:
    """S takes 110 euros; 44 dollars buy 40 of them, 10,266.67 yen the other 70."""
    candidates = [candidate("S", "EUR", "1", "110", lot_size="1")]
    plan = planned(candidates, {"USD": "44", "EUR": "0", "JPY": "20000"}, cash_buffer="0")
    assert quantities(plan) == {}
    assert [converted(plan).withdrawals, converted(plan).deposits] == [{"USD": 44, "JPY": 10_267}, {"EUR": 110}]


def test_the_buffer_is_kept_in_the_base_currency() -> None:
    """1,100 dollars in euros, 110 of them to stay: 990 buy 18 S of 55; the 100 euros left are the 110 dollars."""
    plan = planned([candidate("S", "EUR", "1", "50")], {"USD": "0", "EUR": "1000"}, cash_buffer="110")
    assert quantities(plan) == {"S": 18}
    assert rows(plan) == {"USD": [0, 0, 0, 0, 0, 110], "EUR": [1_000, 0, 900, 0, 100, 0]}
    assert [converted(plan).withdrawals, converted(plan).deposits] == [{"EUR": 100}, {"USD": 110}]
    assert not converted(plan).purchases


def test_purchases_of_a_short_currency_share_what_there_is() -> None:
    """Of 4,000 euros wanted half is there: 20 of 40 and 10 of 20; no other currency is touched."""
    candidates = [
        candidate("A", "USD", "0.2", "100"),
        candidate("S", "EUR", "0.4", "50"),
        candidate("T", "EUR", "0.4", "100"),
    ]
    plan = planned(candidates, {"USD": "3300", "EUR": "2000"})
    assert quantities(plan) == {"A": 11, "S": 20, "T": 10}


def test_what_lots_leave_of_a_short_currency_goes_where_most_was_cut_off() -> None:
    """350 euros for 300 each: 1.75 lots of either as one, then one more of the first, and 50 are left."""
    candidates = [candidate("S", "EUR", "0.5", "100"), candidate("T", "EUR", "0.5", "100")]
    plan = planned(candidates, {"USD": "275", "EUR": "350"})
    assert quantities(plan) == {"S": 2, "T": 1}
    assert rows(plan)["EUR"] == [350, 0, 300, 0, 50, 250]


def test_what_rounds_to_nothing_is_not_traded() -> None:
    """0.3 yen cannot be paid."""
    assert quantities(planned([candidate("T", "JPY", "0.4", "0.3")], {"USD": "0", "JPY": "1"})) == {}


def test_purchases_that_would_become_too_small_are_left_out_the_smallest_first() -> None:
    """250 euros for 200 and 300: T alone, since 100 would be left for S and 120 is the least that is traded."""
    candidates = [candidate("S", "EUR", "0.2", "10"), candidate("T", "EUR", "0.3", "10")]
    plan = planned(candidates, {"USD": "825", "EUR": "250"}, minimum_trade="132")
    assert quantities(plan) == {"T": 25}
    assert [(each.candidate.symbol, float(each.quantity)) for each in converted(plan).purchases] == [("S", 20)]


def test_what_lacks_everywhere_has_to_be_paid_in() -> None:
    plan = planned([candidate("S", "EUR", "1", "50")], {"USD": "100", "EUR": "-200"}, cash_buffer="50")
    assert quantities(plan) == {}
    assert [converted(plan).withdrawals, converted(plan).deposits] == [{"USD": 50}, {"EUR": 200}]


def test_gains_in_any_currency_count_in_the_base_currency() -> None:
    """Ten euros a unit are eleven dollars: 100 dollars are the gain of nine units."""
    candidates = [candidate("S", "EUR", "0", "50", "20", gain="10"), candidate("T", "EUR", "1", "10")]
    plan = planned(candidates, {"USD": "0", "EUR": "0"}, maximum_gain="100")
    assert quantities(plan) == {"S": -9, "T": 45}
    assert plan.realized_gain == 99


def test_less_than_a_cent_of_a_buffer_is_kept_too() -> None:
    """0.029 dollars may go: what costs two cents, since 21 to 29 units of 0.001 cost three."""
    plan = planned([candidate("A", "USD", "1", "0.001")], {"USD": "33.36"}, cash_buffer="33.331")
    (row,) = plan.cash_by_currency
    assert (row.purchases, row.spare) == (Decimal("0.02"), Decimal("0.009"))


def test_what_is_told_of_the_smallest_lots_has_no_more_places_than_a_number_may_have() -> None:
    wanted = candidate("S", "USD", "1", "0.07", "1", lot_size="0.000000000000000001", half_spread="0.01", gain="0.03")
    (bought,) = planned([wanted], {"USD": "1"}).trades
    (sold,) = planned([replace(wanted, target=Decimal("0.3"))], {"USD": "0"}).trades
    for amount in (bought.position.slippage, sold.position.slippage, sold.position.gain):
        assert amount == to_stored(amount) > 0
