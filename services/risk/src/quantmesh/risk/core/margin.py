"""What equity a book requires, and the least changes after which it has it (RSK-5, NEW-6)."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal
from typing import Literal

import numpy as np

from quantmesh.quant import book as quant_book
from quantmesh.quant import margin
from quantmesh.quant.revaluation import present_values
from quantmesh.risk.core.domain import quant_domain
from quantmesh.risk.core.errors import OutOfDomain
from quantmesh.risk.core.model import Book, Floats, History, Position
from quantmesh.risk.core.priced_book import at_prices, priced

Rule = Literal["regulation_t", "portfolio"]
# Each position is reduced alone, over and over: so many take about two seconds.
_MOST_CURED_POSITIONS = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """`equity`: None for that of the book itself where its cash is known, and otherwise for none."""

    rule: Rule
    rate: float = 0.0
    equity: float | None = None
    broad_indices: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Cure:
    """`change` has the difference as its quantity."""

    change: Position
    requirement: float
    traded_value: float


@dataclass(frozen=True, slots=True)
class Shortfall:
    """As quant's, with positions; `cured` is the book after the first of the cures, where there is none after the
    proportional reduction in whole lots, and empty where that does not pass either."""

    amount: float
    cures: Sequence[Cure]
    proportional: float | None
    cured: Sequence[Position]


@dataclass(frozen=True, slots=True)
class BookMargin:
    """`found` has the lines or the groups; `requirement` is what the equity has to meet."""

    found: margin.FixedMargin | margin.PortfolioMargin
    requirement: float
    market_value: float
    equity: float | None
    shortfall: Shortfall | None


def margin_of(book: Book, history: History, wanted: Wanted, *, has_cash: bool) -> BookMargin:
    """`has_cash`: the book's cash is all that lies beside its positions, so that its equity is known where its exchange
    rates are."""
    with quant_domain():
        portfolio = priced(book, history, wanted.rate)
        market_value = float(present_values(portfolio).sum())
        found: margin.FixedMargin | margin.PortfolioMargin
        if wanted.rule == "regulation_t":
            fixed = margin.regulation_t(portfolio, broad_indices=wanted.broad_indices)
            found, requirement = fixed, fixed.maintenance
        else:
            scanned = margin.portfolio(portfolio)
            found, requirement = scanned, scanned.requirement
        equity = wanted.equity
        if equity is None and has_cash and book.all_cash is not None:
            equity = float(book.all_cash) + market_value
        shortfall = None
        if equity is not None and requirement > equity:
            shortfall = _shortfall(book, portfolio, wanted, equity, requirement)
    return BookMargin(found, requirement, market_value, equity, shortfall)


def initial_of(book: Book, prices: Mapping[str, float]) -> float:
    """What Regulation T asks for to open all of a book of stocks, at `prices` (12 CFR 220.12)."""
    with quant_domain():
        return margin.regulation_t(at_prices(book, prices)).initial


def _shortfall(book: Book, portfolio: quant_book.Book, wanted: Wanted, equity: float, requirement: float) -> Shortfall:
    if len(book.positions) > _MOST_CURED_POSITIONS:
        raise OutOfDomain(
            "equity",
            equity,
            f"at least {requirement}, the requirement, for a book of more than {_MOST_CURED_POSITIONS} positions",
        )
    requirement_of: Callable[[Floats], float]
    if wanted.rule == "regulation_t":
        requirement_of = margin.regulation_t_requirement(portfolio, broad_indices=wanted.broad_indices)
    else:
        requirement_of = margin.portfolio_requirement(portfolio)
    found = margin.shortfall(portfolio, equity, requirement_of)
    if found is None:  # two ways of summing the same requirement may differ in the last bit
        return Shortfall(requirement - equity, (), None, ())
    cures = [
        Cure(_changed(book.positions[cure.position], cure.quantity_change), cure.requirement, cure.traded_value)
        for cure in found.cures
    ]
    cured: Sequence[Position] = ()
    if cures:
        cured = _after(book.positions, found.cures[0].position, cures[0].change.quantity)
    elif found.proportional is not None:
        cured = _reduced(book.positions, found.proportional)
        if requirement_of(np.array([float(position.quantity) for position in cured])) > equity:
            cured = ()
    return Shortfall(found.amount, cures, found.proportional, [position for position in cured if position.quantity])


def _changed(position: Position, change: float) -> Position:
    """Whole lots, or all of the position."""
    closes = math.isclose(change, -float(position.quantity), rel_tol=1e-12)
    quantity = -position.quantity if closes else Decimal(round(change))
    return replace(position, quantity=quantity)


def _after(positions: Sequence[Position], index: int, change: Decimal) -> list[Position]:
    changed = list(positions)
    changed[index] = replace(positions[index], quantity=positions[index].quantity + change)
    return changed


def _reduced(positions: Sequence[Position], share: float) -> list[Position]:
    """Each position without that share of it or a little more, in whole lots."""
    kept = Decimal(repr(1.0 - share))
    return [
        replace(position, quantity=(position.quantity * kept).quantize(Decimal(1), rounding=ROUND_DOWN))
        for position in positions
    ]
