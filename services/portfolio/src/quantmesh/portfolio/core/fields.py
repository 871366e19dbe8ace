"""Which fields each type of transaction takes, and what each may hold."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from quantmesh.chassis.errors import Violation
from quantmesh.portfolio.core.currency import DECIMAL_PLACES
from quantmesh.portfolio.core.numbers import LIMIT, QUANTITY_LIMIT, exactly, plain

NAME_LIMIT = 100
NOTE_LIMIT = 500
_STORED_PLACES = 18
SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9-]{0,31}", re.ASCII)

Value = Decimal | str | None

_CASH = frozenset({"amount"})
_CONTRACTS = frozenset({"symbol", "quantity"})
_TRADE = _CONTRACTS | {"price"}
REQUIRED: Mapping[str, frozenset[str]] = {
    "deposit": _CASH,
    "withdrawal": _CASH,
    "buy": _TRADE,
    "sell": _TRADE,
    "dividend": _CASH | {"symbol"},
    "interest": _CASH,
    "fee": _CASH,
    "split": frozenset({"symbol", "split_ratio"}),
    "option_open": _TRADE,
    "option_close": _TRADE,
    "option_exercise": _CONTRACTS,
    "option_assignment": _CONTRACTS,
    "option_expiry": _CONTRACTS,
}
# A transaction without a currency is in its instrument's, one without an instrument in the portfolio's base currency.
_ALWAYS_OPTIONAL = frozenset({"currency", "note"})
_OPTIONAL: Mapping[str, frozenset[str]] = {
    "buy": _ALWAYS_OPTIONAL | {"fee"},
    "sell": _ALWAYS_OPTIONAL | {"fee"},
    "dividend": _ALWAYS_OPTIONAL | {"side"},
    "option_open": _ALWAYS_OPTIONAL | {"fee", "side"},
    "option_close": _ALWAYS_OPTIONAL | {"fee"},
    # The price is that of the underlying, at which an option that is settled in cash pays.
    "option_exercise": _ALWAYS_OPTIONAL | {"fee", "price"},
    "option_assignment": _ALWAYS_OPTIONAL | {"fee", "price"},
}
_NAMES_LOTS = frozenset({"buy", "sell", "option_close"})
_LIMITS = {"quantity": QUANTITY_LIMIT, "split_ratio": Decimal(10) ** 6}
_MAY_BE_ZERO = frozenset({"fee"})


def violations_of(kind: str, values: Mapping[str, Value]) -> list[Violation]:
    """One per field that is missing, not taken by `kind`, or out of range."""
    if kind not in REQUIRED:
        return [Violation("type", f"a {kind} is not recorded by itself: reverse the transaction that was wrong")]
    required = REQUIRED[kind]
    optional = _OPTIONAL.get(kind, _ALWAYS_OPTIONAL)
    found = []
    for field, value in values.items():
        if value is None:
            if field not in required:
                continue
            problem: str | None = f"is required for {_a(kind)}"
        elif field not in required and field not in optional:
            problem = f"is not taken by {_a(kind)}"
        else:
            problem = _problem(field, value)
        if problem is not None:
            found.append(Violation(field, problem))
    return found


@exactly
def choice_violations(kind: str, quantity: Decimal | None, lots: Sequence[tuple[str, Decimal]]) -> list[Violation]:
    """`lots` are the transactions that opened them, and how much is taken of each."""
    if kind not in _NAMES_LOTS:
        return [Violation("lots", f"is not taken by {_a(kind)}")]
    found = [
        Violation(f"lots.{place}.quantity", problem)
        for place, (_, taken) in enumerate(lots)
        if (problem := _number_problem("quantity", taken)) is not None
    ]
    if len({name for name, _ in lots}) < len(lots):
        found.append(Violation("lots", "names a lot twice"))
    total = sum((taken for _, taken in lots), Decimal(0))
    if not found and total != quantity:
        wanted = "none" if quantity is None else plain(quantity)
        found.append(Violation("lots", f"come to {plain(total)}, where the quantity is {wanted}"))
    return found


def printable(text: str) -> bool:
    """Without control characters, and writable as UTF-8 (a lone surrogate is not)."""
    return all(character >= " " and not "\x7f" <= character <= "\x9f" for character in text) and not any(
        "\ud800" <= character <= "\udfff" for character in text
    )


def _problem(field: str, value: Decimal | str) -> str | None:
    if isinstance(value, Decimal):
        return _number_problem(field, value)
    match field:
        case "symbol":
            matches = SYMBOL.fullmatch(value) is not None
            return None if matches else f"{value[:40]!r} is not a symbol such as AAPL, BRK-B or BTC-USD"
        case "side":
            return None
        case "currency":
            return None if value in DECIMAL_PLACES else f"{value[:8]!r} is not an ISO 4217 code such as USD"
        case _:
            allowed = len(value) <= NOTE_LIMIT and printable(value)
            return None if allowed else f"must be at most {NOTE_LIMIT} printable characters"


def _number_problem(field: str, value: Decimal) -> str | None:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        return "must be a finite number"
    if value < 0 or (value == 0 and field not in _MAY_BE_ZERO):
        return f"{plain(value)} must {'not be negative' if field in _MAY_BE_ZERO else 'be more than zero'}"
    limit = _LIMITS.get(field, LIMIT)
    if value >= limit:
        return f"{plain(value)} must be less than {plain(limit)}"
    if exponent < -_STORED_PLACES:
        return f"{value} has more than {_STORED_PLACES} decimal places"
    return "1 would change nothing" if field == "split_ratio" and value == 1 else None


def _a(kind: str) -> str:
    return f"{'an' if kind.startswith('o') else 'a'} {kind}"
