"""The value of each rule on an account: pure functions of the account and of past closes."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from quantmesh.chassis.errors import RuleBroken
from quantmesh.risk.core import margin, value_at_risk
from quantmesh.risk.core.errors import NotMeasurable, OutOfDomain
from quantmesh.risk.core.limits.account import ZERO, Account
from quantmesh.risk.core.limits.definition import TAIL_RULES, Limit, Rule
from quantmesh.risk.core.model import DEFAULT_OBSERVATIONS, Book, History, Position

INFINITE = Decimal("Infinity")
_PLACES = Decimal("1e-8")
_WITH_PLACES = 1e15


@dataclass(frozen=True, slots=True)
class Reading:
    """`value` is None where it cannot be told, and `reason` says why; infinite where there is risk on no equity.

    `symbol` is whose value it is, of rules that look at each symbol.
    """

    value: Decimal | None
    symbol: str = ""
    reason: str = ""


def measure(
    limit: Limit, account: Account, history: History | RuleBroken | None, symbols: Collection[str] | None = None
) -> Reading:
    """`history` covers the account's symbols, or says why there is none; `symbols` narrows rules that look at each."""
    try:
        if limit.rule in _BY_SYMBOL:
            return _largest(limit, account, symbols)
        if limit.rule in _ON_HISTORY:
            return Reading(_ON_HISTORY[limit.rule](limit, account, history))
        return Reading(_ON_QUOTES[limit.rule](account))
    except (RuleBroken, OutOfDomain) as unknown:
        return Reading(None, reason=unknown.detail)


def _gross(account: Account) -> Decimal:
    return sum((abs(each.value) for each in account.held), ZERO)


def _net(account: Account) -> Decimal:
    """Long and short alike: a limit bounds it on either side."""
    return abs(sum((each.value for each in account.held), ZERO))


def _leverage(account: Account) -> Decimal:
    return _ratio(_gross(account), account.equity)


def _order_notional(account: Account) -> Decimal:
    return max((account.notional(order) for order in account.open_orders), default=ZERO)


def _daily_loss(account: Account) -> Decimal:
    if account.day_profit is None:
        msg = "a price of now or of the day's beginning is missing"
        raise NotMeasurable(msg)
    return max(-account.day_profit, ZERO)


def _open_orders(account: Account) -> Decimal:
    return Decimal(len(account.open_orders))


def _largest(limit: Limit, account: Account, symbols: Collection[str] | None) -> Reading:
    chosen = {limit.symbol} if limit.symbol else {each.symbol for each in account.held}
    if symbols is not None:
        chosen &= set(symbols)
    equity = account.equity if limit.rule is Rule.POSITION_WEIGHT else Decimal(1)
    values = {
        symbol: _ratio(abs(account.instruments[symbol].value), equity)
        for symbol in sorted(chosen & account.instruments.keys())
    }
    if not values:
        return Reading(ZERO, limit.symbol)
    symbol = max(values, key=values.__getitem__)
    return Reading(values[symbol], symbol)


def _tail(limit: Limit, account: Account, history: History | RuleBroken | None) -> Decimal:
    """As /risk/var has it: today's quantities at the last closes, under the returns of the last 500 days."""
    if not account.held:
        return ZERO
    wanted = value_at_risk.Wanted(limit.method, limit.confidence, limit.horizon_days, DEFAULT_OBSERVATIONS)
    known = _known(history)
    risk = value_at_risk.value_at_risk_of(_book(account, known), known, wanted)
    found = risk.figure.value if limit.rule is Rule.VALUE_AT_RISK else risk.figure.expected_shortfall
    return max(_decimal(found) * account.held[0].rate, ZERO)


def _margin_utilisation(limit: Limit, account: Account, history: History | RuleBroken | None) -> Decimal:
    """The requirement at the last closes over the equity at the last quotes."""
    if not account.held:
        return ZERO
    wanted = margin.Wanted(limit.margin_rule)
    known = _known(history)
    found = margin.margin_of(_book(account, known), known, wanted, has_cash=False)
    return _ratio(_decimal(found.requirement) * account.held[0].rate, account.equity)


def _initial_margin(account: Account) -> Decimal:
    """At the last quotes, in the base currency; a long option is paid in full. Written ones are not measured."""
    written = [each.symbol for each in account.held if each.is_written]
    if written:
        msg = f"{written[0]} is a written option"
        raise NotMeasurable(msg)
    stocks = [each for each in account.held if not each.is_option]
    required = sum((each.value for each in account.held if each.is_option), ZERO)
    if stocks:
        book = Book(tuple(Position(each.symbol, each.quantity) for each in stocks), account.currency)
        required += _decimal(margin.initial_of(book, {each.symbol: float(each.unit_value) for each in stocks}))
    return _ratio(required, account.equity)


def _book(account: Account, history: History) -> Book:
    """Raises SeveralCurrencies, which no figure of price moves alone is true of."""
    held = Book.of({each.symbol: (each.quantity, each.currency) for each in account.held}, cash={})
    return held.with_listed(history.listed)


def _known(history: History | RuleBroken | None) -> History:
    if history is None:
        msg = "no closes were asked for"
        raise NotMeasurable(msg)
    if isinstance(history, RuleBroken):
        raise history
    return history


def _ratio(amount: Decimal, equity: Decimal) -> Decimal:
    if equity > ZERO:
        return amount / equity
    return INFINITE if amount else ZERO


def _decimal(value: float) -> Decimal:
    """Large ones have no more places than that, and too many digits to be rounded to them."""
    exact = Decimal(repr(value))
    return exact.quantize(_PLACES) if abs(value) < _WITH_PLACES else exact


_ON_QUOTES: Mapping[Rule, Callable[[Account], Decimal]] = {
    Rule.GROSS_EXPOSURE: _gross,
    Rule.NET_EXPOSURE: _net,
    Rule.LEVERAGE: _leverage,
    Rule.ORDER_NOTIONAL: _order_notional,
    Rule.DAILY_LOSS: _daily_loss,
    Rule.OPEN_ORDERS: _open_orders,
    Rule.INITIAL_MARGIN: _initial_margin,
}
_ON_HISTORY: Mapping[Rule, Callable[[Limit, Account, History | RuleBroken | None], Decimal]] = {
    **dict.fromkeys(TAIL_RULES, _tail),
    Rule.MARGIN_UTILISATION: _margin_utilisation,
}
_BY_SYMBOL = frozenset({Rule.POSITION_WEIGHT, Rule.SYMBOL_NOTIONAL})
