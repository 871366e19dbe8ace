"""Exact decimal arithmetic: nothing is rounded but where a function says so."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, localcontext

ZERO = Decimal(0)
# Products of two NUMERIC(38,18) have 76 digits; the default context would silently keep 28 of them.
EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero])
_STORED = Decimal("1e-18")
# What is recorded is below these, so that sums and values of a portfolio fit NUMERIC(38,18) with room to spare.
LIMIT = Decimal(10) ** 15
QUANTITY_LIMIT = Decimal(10) ** 12
_PLAIN = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,18})?", re.ASCII)


@contextmanager
def exact() -> Iterator[None]:
    """A block, or by decoration a function, whose decimal arithmetic keeps 100 digits."""
    with localcontext(EXACT):
        yield


def parse(text: str) -> Decimal:
    """Plain notation alone; ValueError for exponents, signs of plus, NaN, or what NUMERIC(38,18) cannot hold."""
    if not _PLAIN.fullmatch(text):
        msg = "not a plain decimal such as 129.41, at most 20 digits before the point and 18 after it"
        raise ValueError(msg)
    return Decimal(text)


@exact()
def to_stored(value: Decimal) -> Decimal:
    """Rounded half to even to 18 places, as NUMERIC(38,18) keeps it."""
    return value.quantize(_STORED)


def plain(value: Decimal) -> str:
    """The one spelling of a number: no exponent, no trailing zero, no negative zero."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
