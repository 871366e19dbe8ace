"""Target weights become a list of whole-lot orders that never spends what is not there (PF-10).

Weights are of what is to be invested: the total value in the base currency less the cash buffer. Quantities are
apportioned by largest remainders (Hamilton's method): each target is rounded down to whole lots, and what that leaves
of the targets' sum buys one lot more where the most was cut off, as far as all cash together goes. Then each currency
has to pay for its own purchases: where one cannot, they give way, and the plan says what would pay for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from quantmesh.portfolio.core.apportion import affordable, rounded_down, with_remainders, worth_trading
from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.currency_cash import (
    Conversion,
    CurrencyCash,
    Till,
    cash_of,
    conversion,
    given_way,
    within_currencies,
)
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.planned_positions import Candidate, Position


@dataclass(frozen=True, slots=True)
class Wishes:
    """`cash_buffer` stays as cash of the base currency; `maximum_gain`: what all sales together may realise at most,
    None for any; amounts in the base currency."""

    cash_buffer: Decimal = ZERO
    minimum_trade: Decimal = ZERO
    maximum_gain: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PlannedTrade:
    """`position` has what is traded of it."""

    position: Position
    weight: Decimal
    weight_after: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """Totals are in the base currency, and rounded to its places where something of them was translated into it.

    `drift` is half the sum of the absolute distances from the target weights.
    """

    trades: Sequence[PlannedTrade]
    invested: Decimal
    cash: Decimal
    cash_after: Decimal
    drift: Decimal
    drift_after: Decimal
    fees: Decimal
    slippage: Decimal
    realized_gain: Decimal
    cash_by_currency: Sequence[CurrencyCash]
    conversion: Conversion | None


@exactly
def plan_rebalance(candidates: Sequence[Candidate], tills: Sequence[Till], base: str, wishes: Wishes) -> Plan:
    """`tills` are of all currencies, without what is to be kept."""
    tills = [replace(till, kept=wishes.cash_buffer) if till.currency == base else till for till in tills]
    cash = sum((till.cash * till.rate for till in tills), ZERO)
    total = cash + sum((Position(each, 0).value for each in candidates), ZERO)
    invested = max(total - wishes.cash_buffer, ZERO)
    wanted = _apportioned(candidates, invested, cash - wishes.cash_buffer, wishes)
    positions = within_currencies(wanted, tills, wishes.minimum_trade)
    deferred = given_way(wanted, positions, wishes.minimum_trade)
    by_currency = [cash_of(till, positions, deferred) for till in tills]
    traded = [position for position in positions if position.lots]

    def told(amount: Decimal) -> Decimal:
        return amount if all(till.currency == base for till in tills) else round_cash(amount, base)

    return Plan(
        trades=[_trade(position, invested) for position in traded],
        invested=told(invested),
        cash=told(cash),
        cash_after=told(sum((each.after * each.till.rate for each in by_currency), ZERO)),
        drift=_drift([replace(position, lots=0) for position in positions], invested),
        drift_after=_drift(positions, invested),
        fees=told(sum((each.in_base(each.fee) for each in traded), ZERO)),
        slippage=told(sum((each.in_base(each.slippage) for each in traded), ZERO)),
        realized_gain=told(sum((each.in_base(each.gain) for each in traded), ZERO)),
        cash_by_currency=by_currency,
        conversion=conversion(by_currency, deferred, base),
    )


def _apportioned(candidates: Sequence[Candidate], invested: Decimal, cash: Decimal, wishes: Wishes) -> list[Position]:
    """As if any currency paid for anything."""
    positions = [rounded_down(each, invested) for each in candidates]
    left = sum((each.candidate.target * invested - each.value for each in positions), ZERO)
    positions = with_remainders(positions, cash, left)
    # Before gains are weighed, since a loss makes room only where it is taken; and after, for what was cut.
    positions = [worth_trading(position, wishes.minimum_trade) for position in positions]
    positions = _within_gain(positions, wishes.maximum_gain)
    positions = [worth_trading(position, wishes.minimum_trade) for position in positions]
    return affordable(positions, wishes.minimum_trade, cash)


def _within_gain(positions: Sequence[Position], maximum: Decimal | None) -> list[Position]:
    """Sales at a loss stay, and make room; those at a gain are cut, the dearest in gain per proceeds first."""
    if maximum is None:
        return list(positions)
    room = maximum - sum((position.in_base(position.gain) for position in positions if position.gain < ZERO), ZERO)
    kept = {position.candidate.symbol: position for position in positions}
    for position in sorted((each for each in positions if each.gain > ZERO), key=_gain_ratio):
        cut = _most(position, room)
        kept[position.candidate.symbol] = cut
        room -= cut.in_base(cut.gain)
    return list(kept.values())


def _gain_ratio(position: Position) -> Decimal:
    return position.gain / position.gross


def _most(position: Position, room: Decimal) -> Position:
    """The most lots of a sale whose gain fits."""
    fitting, beyond = 0, -position.lots + 1
    while beyond - fitting > 1:
        middle = (fitting + beyond) // 2
        part = replace(position, lots=-middle)
        if part.in_base(part.gain) <= room:
            fitting = middle
        else:
            beyond = middle
    return replace(position, lots=-fitting)


def _trade(position: Position, invested: Decimal) -> PlannedTrade:
    return PlannedTrade(position, _weight(replace(position, lots=0), invested), _weight(position, invested))


def _weight(position: Position, invested: Decimal) -> Decimal:
    return position.value / invested if invested > ZERO else ZERO


def _drift(positions: Sequence[Position], invested: Decimal) -> Decimal:
    distances = (abs(_weight(position, invested) - position.candidate.target) for position in positions)
    return sum(distances, ZERO) / 2
