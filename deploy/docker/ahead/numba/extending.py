"""What tells the compiler more is nothing here."""

from collections.abc import Callable
from typing import Any


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def overload(_function: Callable[..., Any], **_options: object) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return intrinsic
