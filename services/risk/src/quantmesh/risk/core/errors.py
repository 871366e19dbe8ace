"""What risk refuses.

QuantmeshError
├── InvalidInput
│   ├── OutOfDomain             a parameter outside the domain of its method
│   ├── InvalidLimits           a violation per wrong field of a definition
│   └── UnknownChoice           no such method, or a symbol given twice
├── NotFound
│   └── PortfolioNotFound       what is no id is nobody's portfolio
├── PreconditionFailed
│   └── VersionMismatch         the limits changed since the caller saw them
├── Conflict
│   └── SetMeanwhile            two set the limits at the same moment
└── RuleBroken
    ├── NotMeasurable           a price, an exchange rate or closes are missing
    ├── EmptyBook               nothing to measure, or to optimise
    ├── MissingHistory          too few closes that all symbols share
    ├── SeveralCurrencies
    ├── UnadjustedSeries        a split would read as a crash
    ├── NoSolution              a solver gave up
    ├── NoFigure                an inversion gave up
    ├── EpisodeNotCovered       a symbol has no closes so long ago
    └── InfeasibleConstraints   with the binding bounds and the least change that would pass
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from quantmesh.chassis.errors import Conflict, InvalidInput, NotFound, PreconditionFailed, RuleBroken, Violation

# Errors travel in a header, which holds 8 KiB.
_MOST_NAMED = 20
_LONGEST_SUGGESTION = 3_000


def listed(symbols: Sequence[str]) -> str:
    others = f" and {len(symbols) - _MOST_NAMED} more" if len(symbols) > _MOST_NAMED else ""
    return ", ".join(symbols[:_MOST_NAMED]) + others


class OutOfDomain(InvalidInput):
    problem = "out-of-domain"

    def __init__(self, field: str, value: object, requirement: str) -> None:
        detail = f"must be {requirement}; it is {value}"
        super().__init__(f"{field} {detail}.", violations=[Violation(field, detail)])


class UnknownChoice(InvalidInput):
    problem = "invalid-input"

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field} {detail}.", violations=[Violation(field, detail)])


def require_symbol(symbol: str, symbols: Sequence[str], field: str) -> None:
    """Raises UnknownChoice for one outside."""
    if symbol not in symbols:
        raise UnknownChoice(field, f"names {symbol}, which is not among {listed(symbols)}")


class UnknownSymbol(InvalidInput):
    problem = "unknown-symbol"

    def __init__(self, symbol: str, field: str) -> None:
        description = f"{symbol} is not in the asset catalogue; see GET /assets"
        super().__init__(f"{description}.", violations=[Violation(field, description)])


class InvalidLimits(InvalidInput):
    problem = "invalid-limits"

    def __init__(self, violations: Sequence[Violation]) -> None:
        listing = "; ".join(f"{violation.field} {violation.description}" for violation in violations)
        super().__init__(f"The limits cannot be set: {listing}.", violations=violations)


class PortfolioNotFound(NotFound):
    problem = "portfolio-not-found"

    def __init__(self, portfolio_id: str) -> None:
        super().__init__(f"There is no portfolio {portfolio_id}.")


class VersionMismatch(PreconditionFailed):
    problem = "version-mismatch"

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"The limits are at version {actual}, not {expected}; read them again.")


class SetMeanwhile(Conflict):
    problem = "concurrent-update"

    def __init__(self) -> None:
        super().__init__("Somebody set the limits at the same moment; read them again, then decide.")


class NotMeasurable(RuleBroken):
    problem = "not-measurable"

    def __init__(self, what: str) -> None:
        super().__init__(f"It cannot be told now: {what}.")


class EmptyBook(RuleBroken):
    problem = "empty-book"

    def __init__(self, what: str) -> None:
        super().__init__(f"There is nothing to work on: {what}.")


class MissingHistory(RuleBroken):
    problem = "missing-history"

    def __init__(self, symbols: Sequence[str], found: int, needed: int, period: str = "") -> None:
        names = listed(symbols)
        detail = (
            f"{needed} closes that {names} have in common are needed, there are {found}; ask for fewer observations."
        )
        if not found:
            lacking = f"{names} {period}".rstrip()
            detail = f"There are no closes of {lacking}, by which they and options on them are measured."
        super().__init__(detail, metadata={"symbols": names})


class SeveralCurrencies(RuleBroken):
    problem = "several-currencies"

    def __init__(self, currencies: Sequence[str]) -> None:
        super().__init__(f"The positions are in {', '.join(currencies)}; a book is measured in one currency.")


def require_one_currency(currencies: Iterable[str]) -> str | None:
    """The one, None of none; raises SeveralCurrencies."""
    found = sorted(set(currencies))
    if len(found) > 1:
        raise SeveralCurrencies(found)
    return found[0] if found else None


class UnadjustedSeries(RuleBroken):
    problem = "series-unadjusted"

    def __init__(self, symbols: Sequence[str]) -> None:
        names = listed(symbols)
        super().__init__(
            f"The closes of {names} are raw: a split would read as a crash. Take an adjusted series.",
            metadata={"symbols": names},
        )


class NoSolution(RuleBroken):
    problem = "no-solution"

    def __init__(self, detail: str) -> None:
        super().__init__(f"No weights were found: {detail}.")


class NoFigure(RuleBroken):
    problem = "no-solution"

    def __init__(self, detail: str) -> None:
        super().__init__(f"No figure was found: {detail}.")


class EpisodeNotCovered(RuleBroken):
    problem = "missing-history"

    def __init__(
        self, episode: str, symbols: Sequence[str], first: date, last: date, found_first: date, found_last: date
    ) -> None:
        names = listed(symbols)
        super().__init__(
            f"The episode {episode} needs the closes that {names} have in common from {first} to {last}; there are "
            f"those from {found_first} to {found_last}.",
            metadata={"symbols": names},
        )


class InfeasibleConstraints(RuleBroken):
    """`relaxation` holds, for each binding limit, a value with which the request would pass; `relaxed` are the
    constraints with them, ready to be asked for (NEW-6)."""

    problem = "infeasible-constraints"

    def __init__(
        self, detail: str, shortfall: float, relaxation: Mapping[str, float], relaxed: Mapping[str, object]
    ) -> None:
        named = dict(list(relaxation.items())[:_MOST_NAMED])
        suggestion = json.dumps({"constraints": relaxed})
        metadata = {"shortfall": repr(shortfall), "relaxation": json.dumps(named)}
        if len(suggestion) <= _LONGEST_SUGGESTION:
            metadata["suggestion"] = suggestion
        super().__init__(
            f"{detail} The limits must give way by {shortfall:.6g} in all.",
            violations=[
                Violation("constraints", f"the {limit} would pass as {value:.6g}") for limit, value in named.items()
            ],
            metadata=metadata,
        )
