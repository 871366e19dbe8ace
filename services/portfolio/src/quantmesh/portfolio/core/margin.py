"""How much an account with margin may owe.

At cost, and per currency: the equity (cash plus the cost of all positions, which is negative on the short side) must
be at least half of what long and short positions cost, as Regulation T asks at the opening (12 CFR 220.12), and for
each written option its premium with a fifth of its strike (after FINRA 4210(f)(2)(E), which takes the price of the
underlying). At cost, because a ledger that asked for prices could not record while the market is silent; what orders
may do at today's prices is the pre-trade check's.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from quantmesh.portfolio.core.admission import Holding
from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.fold_ledger import fold_ledger, sum_of
from quantmesh.portfolio.core.ledger_errors import MarginExceeded
from quantmesh.portfolio.core.lots import FoldedLots, Position, SecurityMovement
from quantmesh.portfolio.core.model import Entry, Portfolio, TransactionInput, TransactionType
from quantmesh.portfolio.core.movements import movements_of
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.opening import INITIAL, Opening
from quantmesh.portfolio.core.option_terms import OptionTerms
from quantmesh.portfolio.core.ports import Ledger, View
from quantmesh.portfolio.core.posting_rules import ASSETS, SECURITIES
from quantmesh.portfolio.core.snapshots import LedgerState

_OF_STRIKE = Decimal("0.2")
# Of any currency: what average costs are rounded to in their last places is no debt.
_ROUNDED = Decimal("1e-9")
_OPENING = frozenset({TransactionType.BUY, TransactionType.SELL})


@dataclass(frozen=True, slots=True)
class MarginState:
    equity: Decimal
    required: Decimal

    @property
    @exactly
    def shortfall(self) -> Decimal:
        """What is lacking; negative where more is there than has to be."""
        return self.required - self.equity

    @exactly
    def lacks_more_than(self, amount: Decimal) -> bool:
        return self.shortfall - amount > _ROUNDED


@exactly
def margin_state(cash: Decimal, positions: Iterable[Position], options: Mapping[str, OptionTerms]) -> MarginState:
    """Of one currency. `options` are the terms of those positions that are options; a long one is paid in full."""
    equity, required = cash, ZERO
    for position in positions:
        equity += position.cost
        terms = options.get(position.symbol)
        if terms is None:
            required += INITIAL * abs(position.cost)
        elif position.quantity > ZERO:
            required += position.cost
        else:
            required -= position.cost + _OF_STRIKE * terms.strike * terms.multiplier * position.quantity
    return MarginState(equity, required)


async def require_margin(
    ledger: Ledger, portfolio: Portfolio, entries: Sequence[Entry], balances: Mapping[Holding, Decimal], *, before: int
) -> None:
    """What `entries`, which the log has after number `before`, leave owed has to be carried. Raises MarginExceeded.

    `balances` are those after them. Whoever takes nothing is not judged, nor who only closes positions, whatever he
    loses by it, nor who lacks no more than he did before: debts are paid back in parts.
    """
    judged = _judged(portfolio, entries, balances)
    if not judged or not await ledger.owes(portfolio.id):
        return
    # The portfolio is locked: nothing comes between the queries of a view without a number.
    state = await fold_ledger(ledger, portfolio.id, portfolio.lot_method, View())
    short = await _short(ledger, portfolio, judged, state, View(seq=before), {})
    if short:
        raise _exceeded(judged, short, state)


async def margin_refusal(
    ledger: Ledger, portfolio: Portfolio, entries: Sequence[Entry], balances: Mapping[Holding, Decimal]
) -> MarginExceeded | None:
    """What `require_margin` would raise of `entries`, none of them recorded yet."""
    judged = _judged(portfolio, entries, balances)
    short, state = await _with_unrecorded(ledger, portfolio, judged, entries, balances)
    return _exceeded(judged, short, state) if state is not None and short else None


async def short_of_margin(
    ledger: Ledger, portfolio: Portfolio, entries: Sequence[Entry], balances: Mapping[Holding, Decimal]
) -> dict[str, MarginState]:
    """The currencies in which `entries`, none of them recorded yet, together leave more owed than is carried.

    As `require_margin` has it, of the account as the last of them leaves it.
    """
    judged = _judged(portfolio, entries, balances)
    return (await _with_unrecorded(ledger, portfolio, judged, entries, balances))[0]


async def _with_unrecorded(
    ledger: Ledger,
    portfolio: Portfolio,
    judged: Mapping[str, Sequence[Entry]],
    entries: Sequence[Entry],
    balances: Mapping[Holding, Decimal],
) -> tuple[dict[str, MarginState], LedgerState | None]:
    """Those of the `judged` currencies that are short, in the account as the last of `entries` leaves it.

    None in its place where nothing is owed.
    """
    if not judged or not (any(amount < ZERO for amount in balances.values()) or await ledger.owes(portfolio.id)):
        return {}, None
    moved, paid, options = await asyncio.to_thread(_summed, entries)
    view = View(seq=portfolio.seq)
    state = await fold_ledger(ledger, portfolio.id, portfolio.lot_method, view, more=moved)
    state = replace(state, cash=sum_of(state.cash, paid))
    return await _short(ledger, portfolio, judged, state, view, options), state


def _exceeded(
    judged: Mapping[str, Sequence[Entry]], short: Mapping[str, MarginState], state: LedgerState
) -> MarginExceeded:
    currency, margin = next(iter(short.items()))
    entry = judged[currency][-1]
    if entry.input.quantity is None:
        field, opening, passing = "amount", None, _carried_amount(entry, margin)
    else:
        field, opening = "quantity", _opening(entry, margin, state.folded.get(entry.input.symbol))
        passing = None if opening is None else opening.largest(*_as_recorded(entry.input))
    return MarginExceeded(
        currency, required=margin.required, equity=margin.equity, field=field, passing=passing, opening=opening
    )


def _judged(
    portfolio: Portfolio, entries: Iterable[Entry], balances: Mapping[Holding, Decimal]
) -> dict[str, list[Entry]]:
    """By currency: where margin is there for what is owed, something is taken, and not only to close positions."""
    by_currency: dict[str, list[Entry]] = {}
    if portfolio.margin_enabled:
        for entry in entries:
            by_currency.setdefault(entry.currency, []).append(entry)
    return {
        currency: of_it
        for currency, of_it in by_currency.items()
        if _takes(of_it) and not _only_closes(of_it, balances)
    }


async def _short(
    ledger: Ledger,
    portfolio: Portfolio,
    currencies: Iterable[str],
    state: LedgerState,
    before: View,
    unrecorded: Mapping[str, OptionTerms],
) -> dict[str, MarginState]:
    """Those of `currencies` that lack something in `state`, and more than they did `before`.

    `unrecorded` are terms of options that the ledger may not know yet.
    """
    found = await _margins(ledger, portfolio, currencies, state, unrecorded)
    short = {currency: margin for currency, margin in found.items() if margin.lacks_more_than(ZERO)}
    if not short:
        return {}
    earlier = await fold_ledger(ledger, portfolio.id, portfolio.lot_method, before)
    lacked = await _margins(ledger, portfolio, short, earlier, unrecorded)
    return {
        currency: margin for currency, margin in short.items() if margin.lacks_more_than(lacked[currency].shortfall)
    }


async def _margins(
    ledger: Ledger,
    portfolio: Portfolio,
    currencies: Iterable[str],
    state: LedgerState,
    unrecorded: Mapping[str, OptionTerms],
) -> dict[str, MarginState]:
    options = await ledger.option_terms(portfolio.id, [position.symbol for position in state.positions])
    options = {**options, **unrecorded}
    found = {}
    for currency in currencies:
        held = [position for position in state.positions if position.currency == currency]
        found[currency] = margin_state(state.cash.get(currency, ZERO), held, options)
    return found


@exactly
def _summed(
    entries: Sequence[Entry],
) -> tuple[list[SecurityMovement], dict[str, Decimal], dict[str, OptionTerms]]:
    """What they move, what they pay in each currency, and the terms of the options among them."""
    paid: dict[str, Decimal] = {}
    for entry in entries:
        paid[entry.currency] = paid.get(entry.currency, ZERO) + entry.cash_effect
    options = {entry.input.symbol: entry.input.option for entry in entries if entry.input.option is not None}
    return [movement for entry in entries for movement in movements_of(entry)], paid, options


def _takes(entries: Iterable[Entry]) -> bool:
    return any(side.amount < ZERO for entry in entries for side in entry.postings if side.account in ASSETS)


@exactly
def _only_closes(entries: Sequence[Entry], balances: Mapping[Holding, Decimal]) -> bool:
    """Whether whatever takes trades units, and all that do lead towards none being held or owed.

    Not what is taken back: with a purchase, what was paid in for others may go.
    """
    moved: dict[Holding, list[Decimal]] = {}
    for entry in entries:
        units = [side for side in entry.postings if side.account == SECURITIES and side.amount]
        if entry.input.type is TransactionType.REVERSAL or (not units and _takes([entry])):
            return False
        for side in units:
            moved.setdefault((side.account, side.commodity), []).append(side.amount)
    return bool(moved) and all(_lead_to_none(amounts, balances[place]) for place, amounts in moved.items())


def _lead_to_none(amounts: Sequence[Decimal], after: Decimal) -> bool:
    """Bought and sold again is no closing, however little is left of it."""
    before = after - sum(amounts, ZERO)
    return all(amount * before < ZERO for amount in amounts) and after * before >= ZERO


def _as_recorded(asked: TransactionInput) -> tuple[Decimal, Callable[[Decimal], Decimal]]:
    """In as many places as were asked for, for the fee that was named."""
    places = min(int((asked.quantity or ZERO).as_tuple().exponent), 0)
    return Decimal(1).scaleb(places), lambda _: asked.fee or ZERO


@exactly
def _carried_amount(entry: Entry, margin: MarginState) -> Decimal | None:
    """The most of the cash that `entry` takes which the equity carries; None where no less of it would do."""
    amount = round_cash((entry.input.amount or ZERO) - margin.shortfall, entry.currency)
    return amount if entry.cash_effect < ZERO < amount else None


@exactly
def _opening(entry: Entry, margin: MarginState, lots: FoldedLots | None) -> Opening | None:
    """None where less of it is no smaller debt: what only closes, or is not the last thing that happened to its `lots`.

    Of what was sold since, less of what was bought before is no less.
    """
    asked = entry.input
    if asked.type not in _OPENING or asked.option is not None or lots is None or lots.moved_at != asked.executed_at:
        return None
    if not lots.lots or (lots.lots[0].quantity > ZERO) is not (asked.type is TransactionType.BUY):
        return None
    opened = abs(sum((lot.quantity for lot in lots.lots), ZERO))
    return Opening(asked, entry.currency, margin.shortfall, max((asked.quantity or ZERO) - opened, ZERO))
