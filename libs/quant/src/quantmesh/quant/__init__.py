"""Pricing and risk numerics over arrays. Every model family is a module of its own; each loads on first use."""

from importlib import import_module
from types import ModuleType

_MODULES = frozenset({"black_scholes", "covariance", "errors", "optimize", "performance", "value_at_risk", "version"})


def __getattr__(name: str) -> ModuleType:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
