"""Each currency pays for its own purchases: what it has before and after a plan, and what would let all of it pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from quantmesh.portfolio.core.apportion import in_proportion
from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.planned_positions import Position, cash_after


@dataclass(frozen=True, slots=True)
class Till:
    """What of one currency may be spent, and what of that is to stay; `rate` is one unit of it in the base currency."""

    currency: str
    rate: Decimal
    cash: Decimal
    kept: Decimal = ZERO

    @property
    def to_spend(self) -> Decimal:
        """In the base currency. Less than the smallest unit pays for nothing."""
        return round_cash(self.cash - self.kept, self.currency, ROUND_FLOOR) * self.rate


@dataclass(frozen=True, slots=True)
class CurrencyCash:
    """In its own currency. `purchases` are what their orders reserve, without the fees; `shortfall` is what is lacking
    for what has to stay and for the purchases that gave way."""

    till: Till
    proceeds: Decimal
    purchases: Decimal
    fees: Decimal
    shortfall: Decimal

    @property
    def after(self) -> Decimal:
        return self.till.cash + self.proceeds - self.purchases - self.fees

    @property
    def spare(self) -> Decimal:
        return self.after - self.till.kept


@dataclass(frozen=True, slots=True)
class Conversion:
    """Withdrawals and deposits by currency, and the purchases that these pay for, once the plan is carried out.

    The withdrawals are what the deposits are worth, as far as there is so much to spare: base currency first.
    """

    withdrawals: Mapping[str, Decimal]
    deposits: Mapping[str, Decimal]
    purchases: Sequence[Position]


def within_currencies(positions: Sequence[Position], tills: Sequence[Till], minimum: Decimal) -> list[Position]:
    """In a currency that cannot pay for all of its purchases these give way in proportion; the others stay."""
    kept = {position.candidate.symbol: position for position in positions}
    for till in tills:
        own = _of(till, positions)
        if cash_after(till.to_spend, own) < ZERO:
            kept |= {each.candidate.symbol: each for each in in_proportion(own, minimum, till.to_spend)}
    return list(kept.values())


def given_way(wanted: Sequence[Position], positions: Sequence[Position], minimum: Decimal) -> list[Position]:
    """What `positions` lack of those that were `wanted`, but for what is too small to trade."""
    lots = {position.candidate.symbol: position.lots for position in positions}
    lacking = [replace(each, lots=each.lots - lots[each.candidate.symbol]) for each in wanted]
    return [each for each in lacking if each.lots and each.lots * each.candidate.lot_value >= minimum]


def cash_of(till: Till, positions: Sequence[Position], deferred: Sequence[Position]) -> CurrencyCash:
    own = _of(till, positions)
    cash = CurrencyCash(
        till=till,
        proceeds=sum((each.paid for each in own if each.lots < 0), ZERO),
        purchases=sum((each.paid for each in own if each.lots > 0), ZERO),
        fees=sum((each.fee for each in own), ZERO),
        shortfall=ZERO,
    )
    lacking = -sum((each.flow for each in _of(till, deferred)), cash.spare)
    return replace(cash, shortfall=round_cash(lacking, till.currency, ROUND_CEILING)) if lacking > ZERO else cash


def conversion(cash: Sequence[CurrencyCash], deferred: Sequence[Position], base: str) -> Conversion | None:
    """None where no currency is short."""
    deposits = {each.till.currency: each.shortfall for each in cash if each.shortfall}
    if not deposits:
        return None
    missing = sum((each.shortfall * each.till.rate for each in cash), ZERO)
    withdrawals = {}
    sources = [each for each in cash if not each.shortfall]
    for source in sorted(sources, key=lambda each: (each.till.currency != base, -each.spare * each.till.rate)):
        currency = source.till.currency
        wanted = round_cash(missing / source.till.rate, currency, ROUND_CEILING)
        taken = min(wanted, round_cash(source.spare, currency, ROUND_FLOOR))
        if taken > ZERO:
            withdrawals[currency] = taken
            missing -= taken * source.till.rate
    return Conversion(withdrawals, deposits, deferred)


def _of(till: Till, positions: Sequence[Position]) -> list[Position]:
    return [position for position in positions if position.candidate.currency == till.currency]
