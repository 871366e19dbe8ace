"""Compiled kernels as Python functions. Calls release the interpreter's lock."""

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from .types import Signature

# Kernels answer this after a plain return, and this after a return of nothing.
_GOOD = (0, -2)


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
        # Room for the answer, and for a pointer to what went wrong.
        answer, problem = (ctypes.c_uint8 * 8)(), ctypes.c_void_p()
        if (status := self._native(ctypes.byref(answer), ctypes.byref(problem), *flat)) not in _GOOD:
            msg = f"the kernel {self._name} ended with status {status}"
            raise RuntimeError(msg)
        native = self._result.native
        if native is None:
            return None
        value = native.from_buffer(answer).value
        return bool(value) if self._result.name == "bool" else value


@cache
def library() -> ctypes.CDLL:
    return ctypes.CDLL(str(Path(__file__).with_name("kernels.so")))
