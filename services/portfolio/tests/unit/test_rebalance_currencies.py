"""Target weights in several currencies: each pays for its own purchases, and what would pay for the rest is told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from quantmesh.portfolio.core.currency_cash import Conversion, Till
from quantmesh.portfolio.core.planned_positions import Candidate
from quantmesh.portfolio.core.rebalance import Plan, Wishes, plan_rebalance

ZERO = Decimal(0)
RATES = {"USD": Decimal(1), "EUR": Decimal("1.10"), "JPY": Decimal("0.0075")}
UNITS = {"USD": Decimal("0.01"), "EUR": Decimal("0.01"), "JPY": Decimal(1)}


def fee_in(currency: str, points: int, least: str) -> Callable[[Decimal], Decimal]:
    return lambda gross: max(gross * points / 10_000, Decimal(least)).quantize(UNITS[currency], ROUND_HALF_EVEN)


def candidate(symbol: str, currency: str, target: str, price: str, held: str = "0", **more: str) -> Candidate:
    """A fee of ten basis points and a unit at least where `fee` is given, what is held at no gain."""
    last, half = Decimal(price), Decimal(more.get("half_spread", "0"))
    gain = Decimal(more.get("gain", "0"))
    return Candidate(
        symbol=symbol,
        currency=currency,
        rate=RATES[currency],
        target=Decimal(target),
        held=Decimal(held),
        sellable=Decimal(held),
        lot_size=Decimal(more.get("lot_size", "1")),
        price=last,
        buy_price=last + half,
        sell_price=last - half,
        gain=lambda quantity: quantity * gain,
        fee_of=fee_in(currency, 10, "1") if "fee" in more else fee_in(currency, 0, "0"),
    )


def planned(candidates: Sequence[Candidate], cash: Mapping[str, str], **wishes: str) -> Plan:
    tills = [Till(currency, RATES[currency], Decimal(amount)) for currency, amount in cash.items()]
    amounts = {name: Decimal(amount) for name, amount in wishes.items()}
    return plan_rebalance(candidates, tills, "USD", Wishes(**amounts))


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


@dataclass
class Account:
    """Carries out trades as the ledger posts them and reserves for them, and refuses what an order would be refused."""

    cash: dict[str, Decimal]
    units: dict[str, Decimal] = field(default_factory=dict)

    def trade(self, each: Candidate, quantity: Decimal) -> None:
        price = each.buy_price if quantity > 0 else each.sell_price
        gross = abs(quantity) * price
        unit, fee = UNITS[each.currency], each.fee_of(gross)
        if quantity > 0:
            assert gross.quantize(unit, ROUND_CEILING) + fee <= self.cash[each.currency]
        else:
            assert -quantity <= self.units[each.symbol]
        paid = gross.quantize(unit, ROUND_HALF_EVEN)
        assert paid > 0
        self.cash[each.currency] += (paid if quantity < 0 else -paid) - fee
        self.units[each.symbol] += quantity
        assert self.cash[each.currency] >= 0

    def value(self, candidates: Sequence[Candidate]) -> Decimal:
        units = sum((self.units[each.symbol] * each.price * each.rate for each in candidates), ZERO)
        return units + sum((amount * RATES[currency] for currency, amount in self.cash.items()), ZERO)


@st.composite
def books(draw: st.DrawFn, *, costs: bool) -> list[Candidate]:
    count = draw(st.integers(1, 6))
    weights = draw(st.lists(st.integers(0, 20), min_size=count, max_size=count))
    whole = max(100, sum(weights))
    return [
        candidate(
            f"S{index}",
            draw(st.sampled_from(["USD", "EUR", "JPY"])),
            str(Decimal(weight) / whole),
            str(draw(st.integers(1, 500))),
            str(draw(st.integers(0, 60))),
            lot_size=draw(st.sampled_from(["1", "1", "10", "0.01"] if costs else ["1", "1", "10"])),
            half_spread=draw(st.sampled_from(["0", "0.05", "0.5"])) if costs else "0",
            gain=str(draw(st.integers(-20, 20))),
            **({"fee": ""} if costs else {}),
        )
        for index, weight in enumerate(weights)
    ]


CASH = st.fixed_dictionaries({
    "USD": st.integers(0, 20_000), "EUR": st.integers(0, 9_000), "JPY": st.integers(0, 900_000),
})  # fmt: skip


def carried_out(plan: Plan, candidates: Sequence[Candidate], cash: Mapping[str, int]) -> Account:
    """Sales first, then purchases, each by symbol."""
    account = Account(
        {currency: Decimal(amount) for currency, amount in cash.items()},
        {each.symbol: each.held for each in candidates},
    )
    for trade in sorted(plan.trades, key=lambda each: (each.position.lots > 0, each.position.candidate.symbol)):
        account.trade(trade.position.candidate, trade.position.quantity)
    return account


def convert(account: Account, plan: Plan, kept: Mapping[str, Decimal]) -> None:
    """All that is suggested; it has to be worth the same but for what is less than a unit, or take all there is."""
    if plan.conversion is None:
        return
    conversion = plan.conversion
    for currency, amount in conversion.withdrawals.items():
        account.cash[currency] -= amount
        assert account.cash[currency] >= kept.get(currency, ZERO)
    paid = sum((amount * RATES[currency] for currency, amount in conversion.withdrawals.items()), ZERO)
    got = sum((amount * RATES[currency] for currency, amount in conversion.deposits.items()), ZERO)
    assert paid - got < max(UNITS[currency] * RATES[currency] for currency in RATES)
    if paid < got:
        rest = {currency: amount - kept.get(currency, ZERO) for currency, amount in account.cash.items()}
        places = len(plan.trades) + 1
        assert all(rest[each] < places * UNITS[each] for each in rest if each not in conversion.deposits)
    for currency, amount in conversion.deposits.items():
        account.cash[currency] += amount
    assert {purchase.candidate.currency for purchase in conversion.purchases} <= conversion.deposits.keys()
    for purchase in conversion.purchases:
        account.trade(purchase.candidate, purchase.quantity)
    for currency in conversion.deposits:
        assert account.cash[currency] >= kept.get(currency, ZERO)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    candidates=books(costs=True),
    cash=CASH,
    buffer=st.sampled_from([0, 100, 5_000]),
    minimum=st.sampled_from([0, 50]),
    gain=st.sampled_from([None, 0, 500]),
)
def test_a_plan_that_is_carried_out_leaves_no_currency_short_and_loses_its_costs_alone(
    candidates: list[Candidate], cash: dict[str, int], buffer: int, minimum: int, gain: int | None
) -> None:
    tills = [Till(currency, RATES[currency], Decimal(amount)) for currency, amount in cash.items()]
    wishes = Wishes(Decimal(buffer), Decimal(minimum), None if gain is None else Decimal(gain))
    plan = plan_rebalance(candidates, tills, "USD", wishes)
    account = carried_out(plan, candidates, cash)
    places = sum((UNITS[trade.position.candidate.currency] for trade in plan.trades), ZERO)
    for row in plan.cash_by_currency:
        assert 0 <= account.cash[row.till.currency] - row.after <= places
    before = Account({currency: Decimal(amount) for currency, amount in cash.items()}, {})
    before.units = {each.symbol: each.held for each in candidates}
    lost = before.value(candidates) - account.value(candidates)
    assert abs(lost - plan.fees - plan.slippage) <= places + Decimal("0.02")
    if any(trade.position.lots > 0 and trade.position.candidate.currency == "USD" for trade in plan.trades):
        assert account.cash["USD"] >= buffer
    if gain is not None:
        assert plan.realized_gain <= gain
    for trade in plan.trades:
        each, quantity = trade.position.candidate, trade.position.quantity
        assert quantity % each.lot_size == 0
        assert abs(quantity) * each.price * each.rate >= minimum
    convert(account, plan, {"USD": Decimal(buffer)})


@settings(max_examples=300, deadline=None, derandomize=True)
@given(candidates=books(costs=False), cash=CASH)
def test_without_costs_every_holding_ends_within_a_lot_of_its_target_once_all_is_converted(
    candidates: list[Candidate], cash: dict[str, int]
) -> None:
    plan = planned(candidates, {currency: str(amount) for currency, amount in cash.items()})
    account = carried_out(plan, candidates, cash)
    short = {row.till.currency for row in plan.cash_by_currency if row.shortfall}
    invested = account.value(candidates)

    def distance(each: Candidate) -> Decimal:
        return each.target * invested / (each.price * each.rate) - account.units[each.symbol]

    for each in candidates:
        if each.currency not in short:
            assert abs(distance(each)) <= each.lot_size
    convert(account, plan, {})
    for each in candidates:
        assert abs(distance(each)) <= each.lot_size
