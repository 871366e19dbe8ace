"""Numba as an image has it: what the kernels' modules ask of it, answered from the library that `link_kernels.py` has
made of them. Nothing is compiled here, and LLVM is not needed.
"""

from collections.abc import Callable
from typing import Any

from . import types
from ._kernels import Kernel, library

__all__ = ["njit", "types"]


def njit(signature: types.Signature | None = None, **_options: object) -> Callable[[Callable[..., Any]], Any]:
    """What has a signature is called from outside, and is in the library; the rest are parts of such kernels."""

    def decorate(function: Callable[..., Any]) -> Any:
        return function if signature is None else Kernel(function, signature, library())

    return decorate
