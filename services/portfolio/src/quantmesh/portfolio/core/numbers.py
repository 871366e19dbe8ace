"""Exact decimal arithmetic: nothing is rounded but where a function says so."""

import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, getcontext, localcontext
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

ZERO = Decimal(0)
# Products of two NUMERIC(38,18) have 76 digits; the default context would silently keep 28 of them.
EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero])
_STORED = Decimal("1e-18")
# What is recorded is below these, so that sums and values of a portfolio fit NUMERIC(38,18) with room to spare.
LIMIT = Decimal(10) ** 15
QUANTITY_LIMIT = Decimal(10) ** 12
_PLAIN = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,18})?", re.ASCII)


def exactly(function: Callable[P, R]) -> Callable[P, R]:
    """By decoration: a function whose decimal arithmetic keeps 100 digits.

    Called by another one it switches nothing, since a switch costs more than most sums.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if getcontext().prec == EXACT.prec:
            return function(*args, **kwargs)
        with localcontext(EXACT):
            return function(*args, **kwargs)

    return run


def parse(text: str) -> Decimal:
    """Plain notation alone; ValueError for exponents, signs of plus, NaN, or what NUMERIC(38,18) cannot hold."""
    if not _PLAIN.fullmatch(text):
        msg = "not a plain decimal such as 129.41, at most 20 digits before the point and 18 after it"
        raise ValueError(msg)
    return Decimal(text)


def to_stored(value: Decimal) -> Decimal:
    """Rounded half to even to 18 places, as NUMERIC(38,18) keeps it."""
    return value.quantize(_STORED, context=EXACT)


def plain(value: Decimal) -> str:
    """The one spelling of a number: no exponent, no trailing zero, no negative zero."""
    text = str(value)
    if "E" in text:
        text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
