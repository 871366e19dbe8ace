"""Exact decimals in arrays, as whole numbers of one power of ten: sums and products of many, none of it rounded."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quantmesh.portfolio.core.numbers import EXACT, ZERO, exactly

Units: TypeAlias = NDArray[Any]
_MOST = 2**63 - 1
# Whole numbers, and powers of ten, up to which each is exact as a double.
_EXACT_AS_DOUBLE, _LARGEST_POWER = 2**53, 22
# Of prices.
_USUAL_PLACES = (2, 4, 6)


@dataclass(frozen=True, slots=True)
class Scaled:
    """Of any shape, in `units` of 10^-`places`: int64, or Python's integers (dtype object) where it might overflow."""

    units: Units
    places: int = 0

    def __len__(self) -> int:
        return len(self.units)

    def __getitem__(self, key: Any) -> "Scaled":
        return Scaled(self.units[key], self.places)

    def __add__(self, other: "Scaled") -> "Scaled":
        places = max(self.places, other.places)
        mine, its = self.units_at(places), other.units_at(places)
        bound = _bound(mine) + _bound(its)
        return Scaled(_roomy(mine, bound) + _roomy(its, bound), places)

    def __sub__(self, other: "Scaled") -> "Scaled":
        return self + Scaled(-other.units, other.places)

    def __mul__(self, other: "Scaled") -> "Scaled":
        bound = _bound(self.units) * _bound(other.units)
        return Scaled(_roomy(self.units, bound) * _roomy(other.units, bound), self.places + other.places)

    def sum(self, axis: int = 0) -> "Scaled":
        units = _roomy(self.units, _bound(self.units) * max(self.units.shape[axis], 1))
        return Scaled(units.sum(axis=axis), self.places)

    def accumulated(self) -> "Scaled":
        """Of a row the sums of all until each."""
        return Scaled(_roomy(self.units, _bound(self.units) * len(self)).cumsum(), self.places)

    def changes(self) -> "Scaled":
        """Along the last axis: each less the one before it, which is nothing before the first."""
        units = _roomy(self.units, 2 * _bound(self.units)).copy()
        units[..., 1:] -= self.units[..., :-1]
        return Scaled(units, self.places)

    def where(self, chosen: NDArray[np.bool_], other: "Scaled") -> "Scaled":
        """Its own where `chosen`, else the `other`'s."""
        places = max(self.places, other.places)
        return Scaled(np.where(chosen, self.units_at(places), other.units_at(places)), places)

    def taken(self, at: NDArray[Any]) -> "Scaled":
        """Those at the places `at`, and zero for a place of -1."""
        return Scaled(np.append(self.units, np.zeros(1, self.units.dtype)).take(at), self.places)

    def added_at(self, key: Any, other: "Scaled") -> "Scaled":
        """With the `other`'s amounts more at `key`, no place of it twice."""
        places = max(self.places, other.places)
        mine, its = self.units_at(places), other.units_at(places)
        room = _roomy(mine, _bound(mine) + _bound(its))
        units = room.astype(np.result_type(room, its))
        units[key] += its
        return Scaled(units, places)

    def summed_at(self, at: tuple[NDArray[Any], ...], shape: tuple[int, ...]) -> "Scaled":
        """An array of `shape` that holds at each place the sum of those of the row that belong there."""
        units = _roomy(self.units, _bound(self.units) * max(len(self), 1))
        found = np.zeros(math.prod(shape), units.dtype)
        place = at[0]
        for along, size in zip(at[1:], shape[1:], strict=True):
            place = place * size + along
        np.add.at(found, place, units)
        return Scaled(found.reshape(shape), self.places)

    def decimals(self) -> list[Decimal]:
        """Of a row."""
        return [_decimal(units, self.places) for units in self.units.tolist()]

    def floats(self) -> NDArray[np.float64]:
        """The nearest, whatever the number of places."""
        if _bound(self.units) <= _EXACT_AS_DOUBLE and self.places <= _LARGEST_POWER:
            return self.units.astype(np.float64) / 10.0**self.places
        divisor = 10**self.places
        found = np.array([units / divisor for units in self.units.ravel().tolist()], dtype=np.float64)
        return found.reshape(self.units.shape)

    def units_at(self, places: int) -> Units:
        if places == self.places:
            return self.units
        factor = 10 ** (places - self.places)
        # At least the factor itself has to fit.
        found: Units = _roomy(self.units, max(_bound(self.units), 1) * factor) * factor
        return found


def scaled(amounts: Iterable[Decimal]) -> Scaled:
    """A row."""
    plain = [amount.normalize(EXACT) for amount in amounts]
    places = max((-int(amount.as_tuple().exponent) for amount in plain), default=0)
    if places <= 0:
        return Scaled(integers([int(amount) for amount in plain]))
    return Scaled(integers([int(amount.scaleb(places, EXACT)) for amount in plain]), places)


def written(amounts: Sequence[str]) -> Scaled:
    """A row of plain decimals."""
    if "." not in "".join(amounts):
        return Scaled(integers([*map(int, amounts)]))
    parts = [amount.partition(".") for amount in amounts]
    places = max(len(fraction) for _, _, fraction in parts)
    return Scaled(integers([int(whole + fraction.ljust(places, "0")) for whole, _, fraction in parts]), places)


def published(numbers: Sequence[float]) -> Scaled:
    """As the shortest decimals that read back as they: the prices that somebody wrote, where none had more digits."""
    doubles = np.array(numbers, dtype=np.float64)
    for places in _USUAL_PLACES:
        units = np.rint(doubles * 10.0**places)
        # With 15 digits at most it is the only decimal that short, and dividing finds the double nearest to it.
        if (np.abs(units) < 1e15).all() and (units / 10.0**places == doubles).all():
            return Scaled(units.astype(np.int64), places)
    return scaled([Decimal(repr(number)) for number in doubles.tolist()])


def integers(numbers: Sequence[int]) -> Units:
    fits = not numbers or (max(numbers) <= _MOST and min(numbers) >= -_MOST)
    return np.array(numbers, dtype=np.int64 if fits else object)


def joined(parts: Sequence[Scaled]) -> Scaled:
    """Rows one after the other."""
    parts = [part for part in parts if len(part)]
    if len(parts) == 1:
        return parts[0]
    places = max((part.places for part in parts), default=0)
    return Scaled(np.concatenate([np.zeros(0, np.int64), *(part.units_at(places) for part in parts)]), places)


def zeros(*shape: int) -> Scaled:
    return Scaled(np.zeros(shape, np.int64))


@exactly
def total(parts: Iterable[Scaled]) -> Decimal:
    """Of all amounts in rows."""
    return sum((_decimal(int(part.sum().units), part.places) for part in parts), ZERO)


def _decimal(units: int, places: int) -> Decimal:
    return Decimal(units).scaleb(-places, EXACT)


def _bound(units: Units) -> int:
    """Nothing of it is further from zero."""
    return max(int(units.max()), -int(units.min())) if units.size else 0


def _roomy(units: Units, bound: int) -> Units:
    """The same where results are as far as `bound` from zero."""
    return units if bound <= _MOST or units.dtype == object else units.astype(object)
