"""Target weights become a list of whole-lot orders that never spends what is not there (PF-10).

Weights are of what is to be invested: the total value less the cash buffer. Quantities are apportioned by largest
remainders (Hamilton's method): each target is rounded down to whole lots, and what that leaves of the targets' sum buys
one lot more where the most was cut off, as far as the cash goes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from quantmesh.portfolio.core.numbers import ZERO, exactly


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instrument that is held or wanted. Prices are per unit: the last one, and what a purchase or sale would get.

    `sellable` is what is held and not kept for open orders; `gain` is what a sale of so many units would realise by
    the account's lots, before its fee.
    """

    symbol: str
    target: Decimal
    held: Decimal
    sellable: Decimal
    lot_size: Decimal
    price: Decimal
    buy_price: Decimal
    sell_price: Decimal
    gain: Callable[[Decimal], Decimal]


@dataclass(frozen=True, slots=True)
class Wishes:
    """`maximum_gain`: what all sales together may realise at most, None for any; amounts in the base currency."""

    cash_buffer: Decimal = ZERO
    minimum_trade: Decimal = ZERO
    maximum_gain: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PlannedTrade:
    """`quantity` is positive to buy and negative to sell. `slippage` is what the price costs against the last one."""

    candidate: Candidate
    quantity: Decimal
    price: Decimal
    fee: Decimal
    slippage: Decimal
    realized_gain: Decimal
    weight: Decimal
    weight_after: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """`drift` is half the sum of the absolute distances from the target weights."""

    trades: Sequence[PlannedTrade]
    invested: Decimal
    cash: Decimal
    cash_after: Decimal
    drift: Decimal
    drift_after: Decimal


@dataclass(frozen=True, slots=True)
class _Purse:
    """What trades cost, and what there is to spend above the buffer."""

    cash: Decimal
    fee_of: Callable[[Decimal], Decimal]

    def after(self, positions: Sequence["_Position"]) -> Decimal:
        return self.cash + sum((self.flow(position) for position in positions), ZERO)

    def flow(self, position: "_Position") -> Decimal:
        """What the trade brings, negative where it costs."""
        if not position.lots:
            return ZERO
        gross = abs(position.quantity) * position.fill_price
        return (gross if position.lots < 0 else -gross) - self.fee_of(gross)


@dataclass(frozen=True, slots=True)
class _Position:
    """`lots` are traded, negative to sell; `remainder` is what whole lots cut off from the target, in lots."""

    candidate: Candidate
    lots: int
    remainder: Decimal = ZERO

    @property
    def quantity(self) -> Decimal:
        return self.lots * self.candidate.lot_size

    @property
    def fill_price(self) -> Decimal:
        return self.candidate.buy_price if self.lots > 0 else self.candidate.sell_price

    @property
    def value(self) -> Decimal:
        """Of what is held afterwards."""
        return (self.candidate.held + self.quantity) * self.candidate.price

    @property
    def gain(self) -> Decimal:
        return self.candidate.gain(-self.quantity) if self.lots < 0 else ZERO


@exactly
def plan_rebalance(
    candidates: Sequence[Candidate], cash: Decimal, wishes: Wishes, fee_of: Callable[[Decimal], Decimal]
) -> Plan:
    """`cash` is what may be spent; `fee_of` is a trade's fee by its gross amount."""
    total = cash + sum((each.held * each.price for each in candidates), ZERO)
    invested = max(total - wishes.cash_buffer, ZERO)
    purse = _Purse(cash - wishes.cash_buffer, fee_of)
    positions = [_rounded_down(each, invested) for each in candidates]
    positions = _with_remainders(positions, purse, invested)
    # Before gains are weighed, since a loss makes room only where it is taken; and after, for what was cut.
    positions = [_worth_trading(position, wishes.minimum_trade, purse) for position in positions]
    positions = _within_gain(positions, wishes.maximum_gain)
    positions = [_worth_trading(position, wishes.minimum_trade, purse) for position in positions]
    positions = _affordable(positions, wishes.minimum_trade, purse)
    return Plan(
        trades=[_trade(position, invested, purse) for position in positions if position.lots],
        invested=invested,
        cash=cash,
        cash_after=purse.after(positions) + wishes.cash_buffer,
        drift=_drift([replace(position, lots=0) for position in positions], invested),
        drift_after=_drift(positions, invested),
    )


def _rounded_down(candidate: Candidate, invested: Decimal) -> _Position:
    """Sales may go no further than to what can be sold, in whole lots."""
    wanted = (candidate.target * invested / candidate.price - candidate.held) / candidate.lot_size
    lots = wanted.to_integral_value(ROUND_FLOOR)
    sellable = max((candidate.sellable / candidate.lot_size).to_integral_value(ROUND_FLOOR), ZERO)
    if lots < -sellable:
        return _Position(candidate, -int(sellable))
    return _Position(candidate, int(lots), wanted - lots)


def _with_remainders(positions: Sequence[_Position], purse: _Purse, invested: Decimal) -> list[_Position]:
    """One lot more where the most was cut off, within the targets' sum and within the cash."""
    left = sum((each.candidate.target * invested - each.value for each in positions), ZERO)
    kept, cash = list(positions), purse.after(positions)
    by_remainder = sorted(range(len(kept)), key=lambda place: (-kept[place].remainder, kept[place].candidate.symbol))
    for place in by_remainder:
        position = kept[place]
        cost = position.candidate.lot_size * position.candidate.price
        more = replace(position, lots=position.lots + 1, remainder=position.remainder - 1)
        cash_left = cash + purse.flow(more) - purse.flow(position)
        if position.remainder > ZERO and cost <= left and cash_left >= ZERO:
            kept[place], cash, left = more, cash_left, left - cost
    return kept


def _within_gain(positions: Sequence[_Position], maximum: Decimal | None) -> list[_Position]:
    """Sales at a loss stay, and make room; those at a gain are cut, the dearest in gain per proceeds first."""
    if maximum is None:
        return list(positions)
    room = maximum - sum((position.gain for position in positions if position.gain < ZERO), ZERO)
    kept = {position.candidate.symbol: position for position in positions}
    for position in sorted((each for each in positions if each.gain > ZERO), key=_gain_ratio):
        cut = _most(position, room)
        kept[position.candidate.symbol] = cut
        room -= cut.gain
    return list(kept.values())


def _gain_ratio(position: _Position) -> Decimal:
    return position.gain / (-position.quantity * position.fill_price)


def _most(position: _Position, room: Decimal) -> _Position:
    """The most lots of a sale whose gain fits."""
    fitting, beyond = 0, -position.lots + 1
    while beyond - fitting > 1:
        middle = (fitting + beyond) // 2
        if replace(position, lots=-middle).gain <= room:
            fitting = middle
        else:
            beyond = middle
    return replace(position, lots=-fitting)


def _worth_trading(position: _Position, minimum: Decimal, purse: _Purse) -> _Position:
    """As it is or, where it is too small or its fee takes all that a sale brings, without the trade."""
    is_too_small = abs(position.quantity) * position.candidate.price < minimum
    is_in_vain = position.lots < 0 and purse.flow(position) <= ZERO
    return replace(position, lots=0) if is_too_small or is_in_vain else position


def _affordable(positions: Sequence[_Position], minimum: Decimal, purse: _Purse) -> list[_Position]:
    """Purchases give way until the cash suffices, those that got the most beyond their targets first."""
    kept, missing = list(positions), -purse.after(positions)
    for place in sorted(range(len(kept)), key=lambda place: kept[place].remainder):
        if missing <= ZERO:
            break
        position = kept[place]
        if position.lots > 0:
            fewer = (missing / (position.candidate.lot_size * position.fill_price)).to_integral_value(ROUND_CEILING)
            left = replace(position, lots=max(position.lots - int(fewer), 0))
            kept[place] = _worth_trading(left, minimum, purse)
            missing -= purse.flow(kept[place]) - purse.flow(position)
    return kept


def _trade(position: _Position, invested: Decimal, purse: _Purse) -> PlannedTrade:
    candidate, size = position.candidate, abs(position.quantity)
    gross = size * position.fill_price
    return PlannedTrade(
        candidate=candidate,
        quantity=position.quantity,
        price=position.fill_price,
        fee=purse.fee_of(gross),
        slippage=abs(gross - size * candidate.price),
        realized_gain=position.gain,
        weight=_weight(replace(position, lots=0), invested),
        weight_after=_weight(position, invested),
    )


def _weight(position: _Position, invested: Decimal) -> Decimal:
    return position.value / invested if invested > ZERO else ZERO


def _drift(positions: Sequence[_Position], invested: Decimal) -> Decimal:
    distances = (abs(_weight(position, invested) - position.candidate.target) for position in positions)
    return sum(distances, ZERO) / 2
