"""A book of stocks and of European and American options on several underlyings, as columns."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant._arguments import (
    DIVIDEND_YIELD,
    OPTION_TYPE_REQUIREMENT,
    RATE,
    SPOT,
    STRIKE,
    TIME_TO_EXPIRY,
    VOLATILITY,
    Domain,
    Floats,
    check_scalar,
)
from quantmesh.quant._limits import LARGEST_AMOUNT, SMALLEST_AMOUNT
from quantmesh.quant.errors import DomainError


class Instrument(IntEnum):
    STOCK = 0
    EUROPEAN = 1
    AMERICAN = 2


_QUANTITY = Domain("quantity", -LARGEST_AMOUNT, LARGEST_AMOUNT, "a finite number, negative where short")
_MULTIPLIER = Domain("multiplier", SMALLEST_AMOUNT, LARGEST_AMOUNT, "a positive number")
_INSTRUMENTS = {instrument.name.lower(): instrument for instrument in Instrument}
_SIGNS = {"call": 1, "put": -1, 1: 1, -1: -1}


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """`spot` and `dividend_yield` have an element per underlying, the columns below them one per position.

    `underlying` is an index into `underlyings`; `sign` is 1 for a call, -1 for a put and 0 for a stock, whose strike,
    time to expiry and volatility are 0. `quantity` counts shares or contracts, negative where short.
    """

    underlyings: tuple[str, ...]
    spot: Floats
    dividend_yield: Floats
    rate: float
    underlying: NDArray[np.intp]
    instrument: NDArray[np.int8]
    sign: NDArray[np.int8]
    quantity: Floats
    multiplier: Floats
    strike: Floats
    time_to_expiry: Floats
    volatility: Floats

    @classmethod
    def of(
        cls,
        spots: Mapping[str, float],
        *,
        underlying: ArrayLike,
        quantity: ArrayLike,
        instrument: ArrayLike = "stock",
        option_type: ArrayLike = "call",
        strike: ArrayLike = 0.0,
        time_to_expiry: ArrayLike = 0.0,
        volatility: ArrayLike = 0.0,
        multiplier: ArrayLike = 1.0,
        dividend_yields: Mapping[str, float] | None = None,
        rate: float = 0.0,
    ) -> Self:
        """Columns broadcast against each other; what describes an option is ignored where `instrument` is "stock".

        Underlyings are known by the names in `spots`; a dividend yield that is not given is 0.
        """
        names = tuple(spots)
        yields = dividend_yields or {}
        for name in yields:
            if name not in spots:
                raise DomainError("dividend_yields", repr(name), f"about one of {', '.join(names)}")
        columns = np.broadcast_arrays(
            *(np.atleast_1d(column) for column in (underlying, instrument, option_type)),
            *(
                np.atleast_1d(np.asarray(column, dtype=np.float64))
                for column in (quantity, multiplier, strike, time_to_expiry, volatility)
            ),
        )
        if columns[0].ndim != 1:
            raise DomainError("underlying", f"shape {columns[0].shape}", "a column with one element per position")
        kinds = _translated("instrument", columns[1], _INSTRUMENTS, '"stock", "european" or "american"')
        is_option = kinds != Instrument.STOCK
        signs = np.zeros(kinds.size, np.int8)
        signs[is_option] = _translated("option_type", columns[2], _SIGNS, OPTION_TYPE_REQUIREMENT, is_option)
        described = [np.where(is_option, column, 0.0) for column in columns[5:]]
        for domain, column in zip(
            (_QUANTITY, _MULTIPLIER, STRIKE, TIME_TO_EXPIRY, VOLATILITY), (*columns[3:5], *described), strict=True
        ):
            check_column(domain, column)
        return cls(
            underlyings=names,
            spot=check_column(SPOT, np.array(list(spots.values()), dtype=np.float64)),
            dividend_yield=check_column(DIVIDEND_YIELD, np.array([yields.get(name, 0.0) for name in names])),
            rate=check_scalar(rate, RATE),
            underlying=_translated(
                "underlying", columns[0], {name: index for index, name in enumerate(names)}, "a name with a spot"
            ).astype(np.intp),
            instrument=kinds.astype(np.int8),
            sign=signs,
            quantity=columns[3].copy(),
            multiplier=columns[4].copy(),
            strike=described[0],
            time_to_expiry=described[1],
            volatility=described[2],
        )

    @property
    def size(self) -> int:
        return self.quantity.size

    @property
    def units(self) -> Floats:
        """How much of its underlying a position stands for: quantity times multiplier."""
        units: Floats = self.quantity * self.multiplier
        return units

    @property
    def spots(self) -> Floats:
        """Of each position's underlying."""
        spots: Floats = self.spot[self.underlying]
        return spots

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """The chosen positions (truth values or indices), over the same underlyings."""
        market = {"underlyings", "spot", "dividend_yield", "rate"}
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return type(self)(**{name: value if name in market else value[chosen] for name, value in values.items()})


def check_column(domain: Domain, column: Floats) -> Floats:
    wrong = np.flatnonzero(~((column >= domain.minimum) & (column <= domain.maximum)))
    if wrong.size:
        raise DomainError(domain.name, column[wrong[0]], domain.requirement, int(wrong[0]))
    return column


def _translated(
    name: str,
    column: NDArray[np.generic],
    values: Mapping[Any, int],
    requirement: str,
    chosen: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """The value of each chosen element; each distinct one is looked up once."""
    rows = np.arange(column.size) if chosen is None else np.flatnonzero(chosen)
    distinct, first, inverse = np.unique(column[rows], return_index=True, return_inverse=True)
    translated = np.zeros(distinct.size, np.int64)
    for index, value in enumerate(distinct.tolist()):
        if value not in values:
            raise DomainError(name, repr(value), requirement, int(rows[first[index]]))
        translated[index] = values[value]
    return translated[inverse]
