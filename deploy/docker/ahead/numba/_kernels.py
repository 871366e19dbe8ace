"""Compiled kernels as Python functions. Calls release the interpreter's lock."""

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from .types import Signature

# Kernels answer this after a plain return, and this after a return of nothing.
_GOOD = (0, -2)
# Where kernels write what nobody reads: a null for "nothing", and a pointer to what went wrong.
_UNREAD = ctypes.c_uint64()
_PROBLEM = ctypes.byref(ctypes.c_void_p())


class Kernel:
    """Only read once it is made: any number of threads may call it."""

    def __init__(self, function: Callable[..., Any], signature: Signature, library: ctypes.CDLL) -> None:
        self.py_func = function
        self._arguments = signature.arguments
        self._result = signature.result
        self._name = f"{function.__module__}.{function.__name__}"
        self._native = getattr(library, self._name)
        self._native.restype = ctypes.c_int32
        natives = [native for argument in signature.arguments for native in argument.natives]
        self._native.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *natives]

    def __call__(self, *values: Any) -> Any:
        flat = [part for kind, value in zip(self._arguments, values, strict=True) for part in kind.flatten(value)]
        native = self._result.native
        answer = native() if native else _UNREAD
        if (status := self._native(ctypes.byref(answer), _PROBLEM, *flat)) not in _GOOD:
            msg = f"the kernel {self._name} ended with status {status}"
            raise RuntimeError(msg)
        if native is None:
            return None
        return bool(answer.value) if self._result.name == "bool" else answer.value


@cache
def library() -> ctypes.CDLL:
    return ctypes.CDLL(str(Path(__file__).with_name("kernels.so")))
