"""Arguments that may be scalars or arrays: broadcast to columns, checked against their domain."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeGuard, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant._limits import (
    LARGEST_AMOUNT,
    LARGEST_EXPONENT,
    LARGEST_RATE,
    LARGEST_TIME,
    LARGEST_VOLATILITY,
    SMALLEST_AMOUNT,
)
from quantmesh.quant.errors import DomainError

Floats = NDArray[np.float64]
_Scalar = TypeVar("_Scalar", bound=np.generic)

OPTION_TYPE_REQUIREMENT = '"call", "put", 1 or -1'


class Domain(NamedTuple):
    name: str
    minimum: float
    maximum: float
    requirement: str


_AMOUNT = f"a number from 0 to {LARGEST_AMOUNT:g}"
SPOT = Domain("spot", 0.0, LARGEST_AMOUNT, _AMOUNT)
STRIKE = Domain("strike", 0.0, LARGEST_AMOUNT, _AMOUNT)
_POSITIVE_AMOUNT = f"a positive number, at most {LARGEST_AMOUNT:g}"
POSITIVE_SPOT = Domain("spot", SMALLEST_AMOUNT, LARGEST_AMOUNT, _POSITIVE_AMOUNT)
POSITIVE_STRIKE = Domain("strike", SMALLEST_AMOUNT, LARGEST_AMOUNT, _POSITIVE_AMOUNT)
_ANY_AMOUNT = f"a number from {-LARGEST_AMOUNT:g} to {LARGEST_AMOUNT:g}"
SIGNED_FORWARD = Domain("forward", -LARGEST_AMOUNT, LARGEST_AMOUNT, _ANY_AMOUNT)
SIGNED_STRIKE = SIGNED_FORWARD._replace(name="strike")
PRICE = Domain("price", 0.0, LARGEST_AMOUNT, _AMOUNT)
TIME_TO_EXPIRY = Domain("time_to_expiry", 0.0, LARGEST_TIME, "a number of years from 0 to 1e6")
RATE = Domain("rate", -LARGEST_RATE, LARGEST_RATE, "a finite rate per year")
DIVIDEND_YIELD = Domain("dividend_yield", -LARGEST_RATE, LARGEST_RATE, "a finite yield per year")
CORRELATION = Domain("correlation", -1.0, 1.0, "a number from -1 to 1")
VOLATILITY = Domain("volatility", 0.0, LARGEST_VOLATILITY, "a number from 0 to 1e6")


def sign_of(option_type: object) -> int:
    if isinstance(option_type, str):
        if option_type == "call":
            return 1
        if option_type == "put":
            return -1
    elif isinstance(option_type, (int, float, np.integer, np.floating)) and option_type in {1, -1}:
        return int(option_type)
    raise DomainError("option_type", repr(option_type), OPTION_TYPE_REQUIREMENT)


def _signs_of(option_type: ArrayLike) -> NDArray[np.int8]:
    """1, -1, or 0 where the option type is neither."""
    given = np.asarray(option_type)
    if given.dtype == np.int8:
        return given
    if given.dtype.kind in "biuf":
        positive, negative = given == 1, given == -1
    else:
        positive, negative = given == "call", given == "put"
    return np.asarray(positive, np.int8) - np.asarray(negative, np.int8)


def _check_signs(signs: NDArray[np.int8], option_type: ArrayLike) -> None:
    wrong = np.abs(signs) != 1
    if wrong.any():
        row = int(wrong.argmax())
        value = np.asarray(option_type).flat[row]
        raise DomainError("option_type", repr(value), OPTION_TYPE_REQUIREMENT, row if signs.ndim else None)


def is_scalar_option_type(option_type: ArrayLike) -> bool:
    return isinstance(option_type, (str, int, float, np.integer))


def all_scalars(values: tuple[ArrayLike, ...]) -> TypeGuard[tuple[float, ...]]:
    return all(isinstance(value, (float, int)) for value in values)


def check_scalar(value: float, domain: Domain) -> float:
    if domain.minimum <= value <= domain.maximum:
        return float(value)
    raise DomainError(domain.name, value, domain.requirement)


def check_scalar_exponents(time: float, rate: float, dividend_yield: float) -> None:
    for domain, value in ((RATE, rate), (DIVIDEND_YIELD, dividend_yield)):
        if abs(value * time) > LARGEST_EXPONENT:
            raise DomainError(domain.name, value, _exponent_requirement(time))


def _exponent_requirement(time: float) -> str:
    return f"at most {LARGEST_EXPONENT / time:.6g} in size over {time:.6g} years, or its discount factor overflows"


@dataclass(frozen=True, slots=True)
class Columns:
    """One-dimensional arrays of `rows` elements, or of one where the value is the same in every row."""

    shape: tuple[int, ...]
    rows: int
    signs: NDArray[np.int8]
    values: tuple[Floats, ...]

    @property
    def arrays(self) -> tuple[NDArray[np.int8] | Floats, ...]:
        return (self.signs, *self.values)

    def part(self, index: int, start: int, stop: int) -> Floats:
        column = self.values[index]
        return column if column.size == 1 else column[start:stop]

    def check(self, domains: Sequence[Domain], start: int, stop: int) -> None:
        """Raise for the first argument and row between `start` and `stop` outside its domain; NaN is outside of any."""
        for index, domain in enumerate(domains):
            part = self.part(index, start, stop)
            if not (part.min() >= domain.minimum and part.max() <= domain.maximum):
                row = int(np.flatnonzero(~((part >= domain.minimum) & (part <= domain.maximum)))[0])
                raise DomainError(domain.name, part[row], domain.requirement, self._row(index, start, row))
        at = domains.index(TIME_TO_EXPIRY)
        times = self.part(at, start, stop)
        longest = times.max()
        for index, domain in enumerate(domains):
            # Whatever its name: options on two assets have two yields.
            if domain.requirement not in {RATE.requirement, DIVIDEND_YIELD.requirement}:
                continue
            part = self.part(index, start, stop)
            if longest * max(part.max(), -part.min()) > LARGEST_EXPONENT:
                exponents = np.broadcast_arrays(np.abs(part) * times, part, times)
                excessive = np.flatnonzero(exponents[0] > LARGEST_EXPONENT)
                if excessive.size:
                    row = int(excessive[0])
                    requirement = _exponent_requirement(float(exponents[2][row]))
                    raise DomainError(domain.name, exponents[1][row], requirement, self._row(index, start, row))

    def value(self, index: int, row: int) -> float:
        column = self.arrays[index]
        return float(column[row if column.size > 1 else 0])

    def _row(self, index: int, start: int, row: int) -> int | None:
        return None if self.shape == () or self.values[index].size < self.rows else start + row


def broadcast(option_type: ArrayLike, *values: ArrayLike, check_signs: bool = True) -> Columns:
    signs = _signs_of(option_type)
    if check_signs:
        _check_signs(signs, option_type)
    arrays = [np.asarray(value, dtype=np.float64) for value in values]
    shape = np.broadcast_shapes(signs.shape, *(array.shape for array in arrays))
    return Columns(
        shape=shape,
        rows=math.prod(shape),
        signs=_column(signs, shape),
        values=tuple(_column(array, shape) for array in arrays),
    )


def _column(array: NDArray[_Scalar], shape: tuple[int, ...]) -> NDArray[_Scalar]:
    column = array.reshape(1) if array.size == 1 else np.broadcast_to(array, shape).reshape(-1)
    return np.require(column, requirements=["C_CONTIGUOUS", "ALIGNED"])
