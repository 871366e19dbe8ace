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
# abm is what others call lzcnt.
_THIRD_LEVEL = frozenset({"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"})


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
    """Raises ImportError where the processor lacks what the code is made of: it would die in the midst of a call."""
    if missing := missing_features(Path("/proc/cpuinfo").read_text()):
        msg = (
            f"the kernels are made for x86-64-v3, and this machine's processor has no {', '.join(sorted(missing))}: "
            "in a cluster, choose other nodes by global.nodeSelector"
        )
        raise ImportError(msg)
    return ctypes.CDLL(str(Path(__file__).with_name("kernels.so")))


def missing_features(processors: str) -> frozenset[str]:
    """What x86-64-v3 adds to the level before it and the first of these processors lacks, as Linux describes and calls
    them; nothing where Linux does not say, since it emulates another machine."""
    described = next((line for line in processors.splitlines() if line.startswith("flags")), None)
    return frozenset() if described is None else _THIRD_LEVEL - set(described.split())
