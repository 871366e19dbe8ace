"""What equity a book requires: by fixed rules, or by the worst of a grid of moves (RSK-5).

Every requirement is on the account's equity, its net liquidating value: cash and long positions less short ones at
their present values. So a short sale's "150 %" is 50 % here, since its proceeds are in the account and its value owed.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant._arguments import Floats
from quantmesh.quant._regulation_t import Line, Rule, lines_of, unit_prices
from quantmesh.quant._samples import check_finite
from quantmesh.quant.book import Book, Instrument
from quantmesh.quant.errors import DomainError
from quantmesh.quant.revaluation import present_values, revalue
from quantmesh.quant.scenarios import Scenarios

__all__ = [
    "Cure",
    "FixedMargin",
    "GroupMargin",
    "Line",
    "PortfolioMargin",
    "Rule",
    "Shortfall",
    "portfolio",
    "portfolio_requirement",
    "regulation_t",
    "regulation_t_requirement",
    "shortfall",
]

# OCC, TIMS: ten equidistant moves of up to 15 % for stocks, and none.
PRICE_MOVES = tuple(round(0.03 * step, 2) for step in range(-5, 6))
VOLATILITY_MOVES = (-0.2, 0.0, 0.2)
# FINRA Rule 4210(g)(7): $37.50 for a contract on 100 shares.
MINIMUM_PER_UNIT = 0.375
# Into so many steps the reduction of a position is cut before the first one that passes is refined.
_STEPS = 16


class FixedMargin(NamedTuple):
    initial: float
    maintenance: float
    lines: tuple[Line, ...]


class GroupMargin(NamedTuple):
    """Of underlyings that offset each other. `price_move` and `volatility_move` are those of the worst scenario, and
    `profits` are what each of the underlyings earns in it.
    """

    group: str
    underlyings: tuple[str, ...]
    requirement: float
    scan_loss: float
    minimum: float
    binding: Literal["scan", "minimum"]
    price_move: float
    volatility_move: float
    profits: Floats


class PortfolioMargin(NamedTuple):
    requirement: float
    groups: tuple[GroupMargin, ...]


class Cure(NamedTuple):
    """Adding `quantity_change` to the position brings the requirement down to `requirement`, which the equity meets."""

    position: int
    quantity_change: float
    requirement: float
    traded_value: float


class Shortfall(NamedTuple):
    """`amount` is also the least deposit that cures it; `cures` are the least reductions of single positions that do,
    the smallest trade first. `proportional` is the share of every position that, closed, cures it too, requirements
    being proportional to the book; None where the equity is negative, which only a deposit cures.
    """

    amount: float
    requirement: float
    cures: tuple[Cure, ...]
    proportional: float | None


def regulation_t(book: Book, *, broad_indices: Collection[str] = ()) -> FixedMargin:
    """Regulation T and FINRA Rule 4210, see `_regulation_t`; options on `broad_indices` have the index rates.

    Long stock 50 %, then 25 %; short stock 50 %, then 30 % or $5 a share; long options in full; uncovered short ones
    20 % of the spot (15 % for a broad index) less what they are out of the money, at least 10 % of the spot (of the
    strike for puts); covered options, spreads and straddles by what the pair can lose.
    """
    return _fixed_rules(book, broad_indices)(book.quantity)


def portfolio(
    book: Book,
    *,
    price_moves: ArrayLike = PRICE_MOVES,
    volatility_moves: ArrayLike = VOLATILITY_MOVES,
    minimum_per_unit: float = MINIMUM_PER_UNIT,
    product_groups: Mapping[str, str] | None = None,
    offset: float = 0.9,
) -> PortfolioMargin:
    """The worst loss over a grid of relative moves of spot and volatility, as OCC's TIMS and SPAN scan it.

    Positions on one underlying offset each other in full. `product_groups` names the group of an underlying; within a
    group, scenario by scenario, gains of one underlying offset losses of another by `offset`. Each option requires at
    least `minimum_per_unit` of its underlying. Options are priced anew, American ones too.
    """
    scan = _Scan(book, price_moves, volatility_moves, minimum_per_unit, product_groups or {}, offset)
    groups = scan.groups_of(book.quantity)
    return PortfolioMargin(math.fsum(group.requirement for group in groups), groups)


def regulation_t_requirement(
    book: Book, *, broad_indices: Collection[str] = (), initial: bool = False
) -> Callable[[Floats], float]:
    """The requirement as a function of the quantities; positions are priced once."""
    margin_of = _fixed_rules(book, broad_indices)

    def requirement(quantities: Floats) -> float:
        found = margin_of(quantities)
        return found.initial if initial else found.maintenance

    return requirement


def portfolio_requirement(
    book: Book,
    *,
    price_moves: ArrayLike = PRICE_MOVES,
    volatility_moves: ArrayLike = VOLATILITY_MOVES,
    minimum_per_unit: float = MINIMUM_PER_UNIT,
    product_groups: Mapping[str, str] | None = None,
    offset: float = 0.9,
) -> Callable[[Floats], float]:
    """The requirement as a function of the quantities; positions are priced once."""
    scan = _Scan(book, price_moves, volatility_moves, minimum_per_unit, product_groups or {}, offset)
    return lambda quantities: math.fsum(group.requirement for group in scan.groups_of(quantities))


def shortfall(
    book: Book, equity: float, requirement_of: Callable[[Floats], float], *, lot: float = 1.0
) -> Shortfall | None:
    """By how much the requirement exceeds the equity, and what would cure it; None where it does not.

    Each position is reduced alone, in whole multiples of `lot`, at its present value, which leaves the equity as it is.
    """
    if not math.isfinite(equity):
        raise DomainError("equity", equity, "finite")
    if not 0.0 < lot < math.inf:
        raise DomainError("lot", lot, "positive")
    required = requirement_of(book.quantity)
    if required <= equity:
        return None
    unit_values = np.abs(present_values(replace(book, quantity=np.ones(book.size))))
    cures = []
    for position in np.flatnonzero(book.quantity != 0.0).tolist():
        found = _least_reduction(book.quantity, position, equity, requirement_of, lot)
        if found is not None:
            change, after = found
            cures.append(Cure(position, change, after, abs(change) * float(unit_values[position])))
    return Shortfall(
        amount=required - equity,
        requirement=required,
        cures=tuple(sorted(cures, key=lambda cure: cure.traded_value)),
        proportional=1.0 - equity / required if equity >= 0.0 else None,
    )


def _fixed_rules(book: Book, broad_indices: Collection[str]) -> Callable[[Floats], FixedMargin]:
    for name in broad_indices:
        if name not in book.underlyings:
            raise DomainError("broad_indices", repr(name), f"about one of {', '.join(book.underlyings)}")
    prices = unit_prices(book)

    def margin_of(quantities: Floats) -> FixedMargin:
        lines = tuple(lines_of(replace(book, quantity=quantities), broad_indices, prices))
        return FixedMargin(
            initial=math.fsum(line.initial for line in lines),
            maintenance=math.fsum(line.maintenance for line in lines),
            lines=lines,
        )

    return margin_of


class _Scan:
    """What one of each position earns in every scenario, and how underlyings go together."""

    def __init__(
        self,
        book: Book,
        price_moves: ArrayLike,
        volatility_moves: ArrayLike,
        minimum_per_unit: float,
        product_groups: Mapping[str, str],
        offset: float,
    ) -> None:
        moves = [np.atleast_1d(np.asarray(given, dtype=np.float64)) for given in (price_moves, volatility_moves)]
        for name, given in zip(("price_moves", "volatility_moves"), moves, strict=True):
            if given.ndim != 1 or given.size == 0:
                raise DomainError(name, f"shape {given.shape}", "a vector of relative moves")
            check_finite(name, given)
            if given.min() < -1.0:
                raise DomainError(name, float(given.min()), "at least -1", int(given.argmin()))
        if not 0.0 <= minimum_per_unit < math.inf:
            raise DomainError("minimum_per_unit", minimum_per_unit, "0 or more")
        if not 0.0 <= offset <= 1.0:
            raise DomainError("offset", offset, "from 0 to 1")
        for name in product_groups:
            if name not in book.underlyings:
                raise DomainError("product_groups", repr(name), f"about one of {', '.join(book.underlyings)}")
        self._book = book
        self._price_moves, self._volatility_moves = (grid.reshape(-1) for grid in np.meshgrid(*moves, indexing="ij"))
        scenarios = Scenarios(self._price_moves[:, None], volatility_moves=self._volatility_moves[:, None])
        one_of_each = replace(book, quantity=np.ones(book.size))
        self._profits = revalue(one_of_each, scenarios, by="position", american_accuracy="accurate").profits
        self._minimums = np.where(book.instrument == Instrument.STOCK, 0.0, minimum_per_unit * book.multiplier)
        self._offset = offset
        self._members: dict[str, list[int]] = {}
        for index, name in enumerate(book.underlyings):
            self._members.setdefault(product_groups.get(name, name), []).append(index)

    def groups_of(self, quantities: Floats) -> tuple[GroupMargin, ...]:
        size = len(self._book.underlyings)
        by_underlying = np.zeros((size, self._price_moves.size))
        np.add.at(by_underlying, self._book.underlying, self._profits * quantities[:, None])
        minimums = np.bincount(self._book.underlying, self._minimums * np.abs(quantities), size)
        return tuple(
            self._group(name, members, by_underlying[members], float(minimums[members].sum()))
            for name, members in self._members.items()
        )

    def _group(self, name: str, members: list[int], profits: Floats, minimum: float) -> GroupMargin:
        gains, losses = np.maximum(profits, 0.0).sum(axis=0), np.maximum(-profits, 0.0).sum(axis=0)
        net = losses - (self._offset if len(members) > 1 else 0.0) * gains
        worst = int(net.argmax())
        scan_loss = max(float(net[worst]), 0.0)
        return GroupMargin(
            group=name,
            underlyings=tuple(self._book.underlyings[index] for index in members),
            requirement=max(scan_loss, minimum),
            scan_loss=scan_loss,
            minimum=minimum,
            binding="scan" if scan_loss >= minimum else "minimum",
            price_move=float(self._price_moves[worst]),
            volatility_move=float(self._volatility_moves[worst]),
            profits=profits[:, worst],
        )


def _least_reduction(
    quantities: Floats, position: int, equity: float, requirement_of: Callable[[Floats], float], lot: float
) -> tuple[float, float] | None:
    """The change of quantity and the requirement after it, or None where closing this position does not help.

    The requirement need not fall all the way, since a position may hedge others: coarse steps find where it first
    passes, bisection the first lot there.
    """
    held = float(quantities[position])
    lots = math.ceil(abs(held) / lot - 1e-9)

    def after(count: int) -> tuple[float, float]:
        changed = quantities.copy()
        changed[position] = math.copysign(max(abs(held) - count * lot, 0.0), held)
        return float(changed[position]) - held, requirement_of(changed)

    steps = sorted({math.ceil(lots * step / _STEPS) for step in range(1, _STEPS + 1)})
    failing = 0
    for passing in steps:
        if after(passing)[1] <= equity:
            break
        failing = passing
    else:
        return None
    while passing - failing > 1:
        middle = (passing + failing) // 2
        failing, passing = (failing, middle) if after(middle)[1] <= equity else (middle, passing)
    return after(passing)
