"""How much an account with margin may owe.

At cost, and per currency: the equity (cash plus the cost of all positions, which is negative on the short side) must
be at least half of what long and short positions cost, as Regulation T asks at the opening (12 CFR 220.12), and for
each written option its premium with a fifth of its strike (after FINRA 4210(f)(2)(E), which takes the price of the
underlying). At cost, because a ledger that asked for prices could not record while the market is silent; what orders
may do at today's prices is the pre-trade check's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from quantmesh.portfolio.core.fold_ledger import fold_ledger
from quantmesh.portfolio.core.ledger_errors import MarginExceeded
from quantmesh.portfolio.core.lots import Position
from quantmesh.portfolio.core.model import Entry, Portfolio
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.option_terms import OptionTerms
from quantmesh.portfolio.core.ports import Ledger, View

_INITIAL = Decimal("0.5")
_OF_STRIKE = Decimal("0.2")


@dataclass(frozen=True, slots=True)
class MarginState:
    equity: Decimal
    required: Decimal


@exactly
def margin_state(cash: Decimal, positions: Iterable[Position], options: Mapping[str, OptionTerms]) -> MarginState:
    """Of one currency. `options` are the terms of those positions that are options; a long one is paid in full."""
    equity, required = cash, ZERO
    for position in positions:
        equity += position.cost
        terms = options.get(position.symbol)
        if terms is None:
            required += _INITIAL * abs(position.cost)
        elif position.quantity > ZERO:
            required += position.cost
        else:
            required -= position.cost + _OF_STRIKE * terms.strike * terms.multiplier * position.quantity
    return MarginState(equity, required)


async def require_margin(ledger: Ledger, portfolio: Portfolio, entry: Entry) -> None:
    """As things stand with `entry` in the books. Raises MarginExceeded."""
    state = await fold_ledger(ledger, portfolio.id, portfolio.lot_method, View(seq=portfolio.seq))
    held = [position for position in state.positions if position.currency == entry.currency]
    options = await ledger.option_terms(portfolio.id, [position.symbol for position in held])
    margin = margin_state(state.cash.get(entry.currency, ZERO), held, options)
    if margin.equity < margin.required:
        field = "amount" if entry.input.quantity is None else "quantity"
        raise MarginExceeded(entry.currency, required=margin.required, equity=margin.equity, field=field)
