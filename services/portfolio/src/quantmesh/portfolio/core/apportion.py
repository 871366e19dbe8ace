"""Amounts as whole lots, by largest remainders (Hamilton's method), within what there is to spend."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.planned_positions import Candidate, Position, cash_after


def rounded_down(candidate: Candidate, invested: Decimal) -> Position:
    """To whole lots. Sales may go no further than to what can be sold."""
    wanted = (candidate.target * invested / (candidate.price * candidate.rate) - candidate.held) / candidate.lot_size
    lots = wanted.to_integral_value(ROUND_FLOOR)
    sellable = max((candidate.sellable / candidate.lot_size).to_integral_value(ROUND_FLOOR), ZERO)
    if lots < -sellable:
        return Position(candidate, -int(sellable))
    return Position(candidate, int(lots), wanted - lots)


def with_remainders(positions: Sequence[Position], cash: Decimal, left: Decimal) -> list[Position]:
    """One lot more where the most was cut off, within the cash and the value that is `left` of what was wanted."""
    kept, cash = list(positions), cash_after(cash, positions)
    by_remainder = sorted(range(len(kept)), key=lambda place: (-kept[place].remainder, kept[place].candidate.symbol))
    for place in by_remainder:
        position = kept[place]
        cost = position.candidate.lot_value
        more = replace(position, lots=position.lots + 1, remainder=position.remainder - 1)
        cash_left = cash + position.in_base(more.flow - position.flow)
        if position.remainder > ZERO and cost <= left and cash_left >= ZERO:
            kept[place], cash, left = more, cash_left, left - cost
    return kept


def worth_trading(position: Position, minimum: Decimal) -> Position:
    """As it is or, where it is too small, rounds to no cash, or its fee takes all a sale brings, without the trade."""
    is_too_small = abs(position.lots) * position.candidate.lot_value < minimum
    is_in_vain = position.lots < 0 and position.flow <= ZERO
    is_nothing = not round_cash(position.gross, position.candidate.currency)
    return replace(position, lots=0) if is_too_small or is_in_vain or is_nothing else position


def affordable(positions: Sequence[Position], minimum: Decimal, cash: Decimal) -> list[Position]:
    """Purchases give way until the cash suffices, those that got the most beyond their targets first."""
    kept, missing = list(positions), -cash_after(cash, positions)
    for place in sorted(range(len(kept)), key=lambda place: kept[place].remainder):
        if missing <= ZERO:
            break
        position = kept[place]
        if position.lots > 0:
            cost = position.in_base(position.candidate.lot_size * position.fill_price)
            fewer = (missing / cost).to_integral_value(ROUND_CEILING)
            left = replace(position, lots=max(position.lots - int(fewer), 0))
            kept[place] = worth_trading(left, minimum)
            missing -= position.in_base(kept[place].flow - position.flow)
    return kept


def in_proportion(positions: Sequence[Position], minimum: Decimal, cash: Decimal) -> list[Position]:
    """Of one currency: what sales make of `cash` goes to the purchases in proportion to what each of them wants.

    Those that would become too small are left out, the smallest first.
    """
    purchases = sorted((each for each in positions if each.lots > 0), key=_cost, reverse=True)
    others = [each for each in positions if each.lots <= 0]
    budget = cash_after(cash, others)
    wanted = sum(map(_cost, purchases), ZERO)
    left_out = []
    while purchases and _cost(purchases[-1]) * budget < minimum * wanted:
        smallest = purchases.pop()
        wanted -= _cost(smallest)
        left_out.append(replace(smallest, lots=0, remainder=ZERO))
    share = min(budget / wanted, Decimal(1)) if purchases else ZERO
    fewer = with_remainders([_part(each, share) for each in purchases], budget, budget)
    fewer = affordable([worth_trading(each, minimum) for each in fewer], minimum, budget)
    return [*others, *left_out, *fewer]


def _cost(purchase: Position) -> Decimal:
    return -purchase.in_base(purchase.flow)


def _part(purchase: Position, share: Decimal) -> Position:
    lots = purchase.lots * share
    whole = lots.to_integral_value(ROUND_FLOOR)
    return replace(purchase, lots=int(whole), remainder=lots - whole)
