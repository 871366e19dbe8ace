"""The types of kernels' arguments, and how each is handed to compiled code."""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, Protocol

import numpy as np

# Bits of an array's flags.
_CONTIGUOUS, _ALIGNED, _WRITEABLE = 0x1, 0x100, 0x400


class Type(Protocol):
    @property
    def natives(self) -> list[Any]:
        """The types of what compiled code takes for a value of this one, in order."""
        ...

    def flatten(self, value: Any) -> Sequence[Any]:
        """Those values. Raises TypeError where the code would read or write what it must not."""
        ...


@dataclass(frozen=True)
class Signature:
    result: "Scalar"
    arguments: tuple[Type, ...]


@dataclass(frozen=True)
class Scalar:
    """`float64(float64, int64)` a signature, `float64[:, ::1]` an array; `float64(7)` converts."""

    name: str
    native: Any
    convert: Callable[[Any], Any] = index

    def __call__(self, *arguments: Any) -> Any:
        if len(arguments) == 1 and isinstance(arguments[0], (int, float, np.generic)):
            return np.dtype(self.name).type(arguments[0])
        return Signature(self, arguments)

    def __getitem__(self, axes: slice | tuple[slice, ...]) -> "Array":
        """The last axis has step 1: rows lie one after the other."""
        slices = axes if isinstance(axes, tuple) else (axes,)
        return Array(self, len(slices), "C" if slices[-1].step == 1 else "A")

    @property
    def natives(self) -> list[Any]:
        return [self.native]

    def flatten(self, value: Any) -> Sequence[Any]:
        return (self.convert(value),)


class Array:
    def __init__(self, dtype: Scalar, ndim: int, layout: str, readonly: bool = False) -> None:
        self._dtype = np.dtype(dtype.name)
        self._ndim = ndim
        self._flags = _ALIGNED | (_CONTIGUOUS if layout == "C" else 0) | (0 if readonly else _WRITEABLE)

    @property
    def natives(self) -> list[Any]:
        """Owner, parent, number and size of elements, address, shape, strides."""
        word, pointer = ctypes.c_int64, ctypes.c_void_p
        return [pointer, pointer, word, word, pointer, *[word] * (2 * self._ndim)]

    def flatten(self, value: Any) -> Sequence[Any]:
        flags = self._flags
        if value.dtype != self._dtype or value.ndim != self._ndim or value.flags.num & flags != flags:
            msg = f"the kernel takes {self._dtype} in {self._ndim} dimensions, not {value.dtype} in {value.shape}"
            raise TypeError(msg)
        address = value.__array_interface__["data"][0]
        return (None, None, value.size, value.itemsize, address, *value.shape, *value.strides)


@dataclass(frozen=True)
class UniTuple:
    dtype: Type
    count: int

    @property
    def natives(self) -> list[Any]:
        return self.dtype.natives * self.count

    def flatten(self, value: Any) -> Sequence[Any]:
        if len(value) != self.count:
            msg = f"the kernel takes {self.count} in a tuple, not {len(value)}"
            raise TypeError(msg)
        return [part for each in value for part in self.dtype.flatten(each)]


void = Scalar("void", None)
boolean = Scalar("bool", ctypes.c_uint8)
int8 = Scalar("int8", ctypes.c_int8)
int64 = Scalar("int64", ctypes.c_int64)
uint64 = Scalar("uint64", ctypes.c_uint64)
float64 = Scalar("float64", ctypes.c_double, float)
