"""What may be recorded of an option, and when in its life."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from quantmesh.chassis.errors import Violation
from quantmesh.portfolio.core.errors import InvalidTransaction
from quantmesh.portfolio.core.ledger_errors import OutsideOptionLife
from quantmesh.portfolio.core.market import Asset
from quantmesh.portfolio.core.model import TransactionInput, TransactionType
from quantmesh.portfolio.core.option_terms import ExerciseStyle, OptionTerms, Settlement
from quantmesh.portfolio.core.times import rfc3339

_TRADES = frozenset(
    {TransactionType.BUY, TransactionType.SELL, TransactionType.OPTION_OPEN, TransactionType.OPTION_CLOSE}
)
_EXERCISES = frozenset({TransactionType.OPTION_EXERCISE, TransactionType.OPTION_ASSIGNMENT})
_OF_OPTIONS = _EXERCISES | {TransactionType.OPTION_OPEN, TransactionType.OPTION_CLOSE, TransactionType.OPTION_EXPIRY}


def with_terms(asked: TransactionInput, assets: Mapping[str, Asset]) -> TransactionInput:
    """With the terms of the option that it is about, whose multiplier then counts; anything else as it is.

    Raises InvalidTransaction or OutsideOptionLife.
    """
    asset = assets.get(asked.symbol)
    option = None if asset is None else asset.option
    if option is None:
        if asked.type in _OF_OPTIONS:
            raise InvalidTransaction([Violation("symbol", f"{asked.symbol} is not an option")])
        return asked
    violations = _violations(asked, option)
    if violations:
        raise InvalidTransaction(violations)
    _require_alive(asked, option)
    return replace(asked, option=option)


def _violations(asked: TransactionInput, option: OptionTerms) -> list[Violation]:
    kind = asked.type
    if kind not in _OF_OPTIONS and kind not in _TRADES:
        return [Violation("type", f"{asked.symbol} is an option, which has no {kind}")]
    found = []
    if (asked.quantity or Decimal(0)) % 1:
        found.append(Violation("quantity", "counts contracts, which are whole"))
    if kind in _EXERCISES:
        pays = option.settlement is Settlement.CASH
        if pays and asked.price is None:
            description = (
                f"is required: {option.underlying}'s settlement price, since {asked.symbol} is settled in cash"
            )
            found.append(Violation("price", description))
        if not pays and asked.price is not None:
            description = f"is not taken: {asked.symbol} is settled by delivery at its strike"
            found.append(Violation("price", description))
    return found


def _require_alive(asked: TransactionInput, option: OptionTerms) -> None:
    """Traded until the instant of expiry, exercised until the end of its day (the notices come after the close)."""
    at, expiry = asked.executed_at, option.expiry
    if asked.type in _TRADES and at > expiry:
        raise OutsideOptionLife(asked.symbol, f"expired on {rfc3339(expiry)} and is not traded after it")
    if asked.type is TransactionType.OPTION_EXPIRY and at < expiry:
        raise OutsideOptionLife(asked.symbol, f"expires on {rfc3339(expiry)}, not before it")
    if asked.type in _EXERCISES:
        if at.date() > expiry.date():
            raise OutsideOptionLife(asked.symbol, f"expired on {rfc3339(expiry)} and is not exercised after that day")
        if option.exercise is ExerciseStyle.EUROPEAN and at.date() < expiry.date():
            raise OutsideOptionLife(asked.symbol, f"is European: it is exercised on the day of its expiry, {expiry:%F}")
