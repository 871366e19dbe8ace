"""Plans in several currencies, carried out as the ledger would: what is left of cash, value and targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from quantmesh.portfolio.core.currency_cash import Till
from quantmesh.portfolio.core.planned_positions import Candidate
from quantmesh.portfolio.core.rebalance import Plan, Wishes, plan_rebalance

from .rebalance_samples import RATES, UNITS, candidate, planned

ZERO = Decimal(0)


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
    """Without costs of whole lots alone: what is held beyond them cannot be sold, and so lacks elsewhere."""
    count = draw(st.integers(1, 6))
    weights = draw(st.lists(st.integers(0, 20), min_size=count, max_size=count))
    whole = max(100, sum(weights))
    lots = [draw(st.sampled_from(["1", "1", "10", "0.01"] if costs else ["1", "1", "10"])) for _ in weights]
    return [
        candidate(
            f"S{index}",
            draw(st.sampled_from(["USD", "EUR", "JPY"])),
            str(Decimal(weight) / whole),
            str(draw(st.integers(1, 500))),
            str(draw(st.integers(0, 60) if costs else st.integers(0, 60 // int(lot)).map(int(lot).__mul__))),
            lot_size=lot,
            half_spread=draw(st.sampled_from(["0", "0.05", "0.5"])) if costs else "0",
            gain=str(draw(st.integers(-20, 20))),
            **({"fee": ""} if costs else {}),
        )
        for index, (weight, lot) in enumerate(zip(weights, lots, strict=True))
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
