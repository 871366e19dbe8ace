"""What weights must satisfy, by symbol, and the same in the order of a history's symbols."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from quantmesh.quant import optimize
from quantmesh.risk.core.errors import UnknownChoice, require_symbol
from quantmesh.risk.core.model import TRADING_DAYS, Floats

# For the best choice of holdings; what is found by then is answered with its gap.
_SEARCH_SECONDS = 1.5

Pair = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Group:
    """Limits on the sum of the weights of `symbols`."""

    name: str
    symbols: tuple[str, ...]
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Constraints:
    """`minimum` and `maximum` hold for every weight but those that `by_symbol` bounds itself."""

    minimum: float | None = None
    maximum: float | None = None
    by_symbol: Mapping[str, Pair] = field(default_factory=dict)
    groups: Sequence[Group] = ()
    maximum_turnover: float | None = None
    cost: float = 0.0
    """Of each amount bought or sold, once a year."""
    maximum_holdings: int | None = None
    minimum_position: float | None = None

    def bound_of(self, side: Literal["minimum", "maximum"], symbols: Sequence[str]) -> tuple[str, float | None]:
        """Where the request bounds the weight of one of `symbols` on that side, and by what."""
        for symbol in symbols:
            own = self.by_symbol.get(symbol, (None, None))[side == "maximum"]
            if own is not None:
                return f"constraints.bounds.{symbol}.{side}", own
        return f"constraints.{side}_weight", self.minimum if side == "minimum" else self.maximum

    def over(self, symbols: Sequence[str], current: Floats | None) -> optimize.Constraints:
        """Long only up to the whole where nothing else is said. Raises UnknownChoice for a symbol outside."""
        for name in self.by_symbol:
            require_symbol(name, symbols, "constraints.bounds")
        for index, group in enumerate(self.groups):
            for name in group.symbols:
                require_symbol(name, symbols, f"constraints.groups[{index}].symbols")
            if len(set(group.symbols)) < len(group.symbols):
                raise UnknownChoice(f"constraints.groups[{index}].symbols", "gives a symbol twice")
            if not group.symbols:
                raise UnknownChoice(f"constraints.groups[{index}].symbols", "must name one at least")
        lower = np.full(len(symbols), 0.0 if self.minimum is None else self.minimum)
        upper = np.full(len(symbols), 1.0 if self.maximum is None else self.maximum)
        for symbol, (minimum, maximum) in self.by_symbol.items():
            index = symbols.index(symbol)
            lower[index] = lower[index] if minimum is None else minimum
            upper[index] = upper[index] if maximum is None else maximum
        return optimize.Constraints(
            minimum=lower,
            maximum=upper,
            groups=[
                optimize.Group(
                    group.name, tuple(symbols.index(name) for name in group.symbols), group.minimum, group.maximum
                )
                for group in self.groups
            ],
            current=current,
            maximum_turnover=self.maximum_turnover,
            costs=self.cost / TRADING_DAYS,
            maximum_holdings=self.maximum_holdings,
            minimum_position=self.minimum_position,
            names=symbols,
            search_seconds=_SEARCH_SECONDS,
        )


def as_request(constraints: optimize.Constraints, symbols: Sequence[str]) -> dict[str, Any]:
    """Quant's constraints as the API takes them; a symbol that may have any part of the whole is left out."""
    lower, upper = (np.broadcast_to(side, len(symbols)) for side in (constraints.minimum, constraints.maximum))
    found: dict[str, Any] = {
        "bounds": {
            symbol: {"minimum": float(low), "maximum": float(high)}
            for symbol, low, high in zip(symbols, lower, upper, strict=True)
            if (low, high) != (0.0, 1.0)
        },
        "groups": [
            {
                "name": group.name,
                "symbols": [symbols[member] for member in group.members],
                "minimum": group.minimum,
                "maximum": group.maximum,
            }
            for group in constraints.groups
        ],
        "maximum_turnover": constraints.maximum_turnover,
        "maximum_holdings": constraints.maximum_holdings,
        "minimum_position": constraints.minimum_position,
    }
    return {name: value for name, value in found.items() if value not in (None, [], {})}
