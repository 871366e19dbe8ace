"""Exact decimals: `decimal.Decimal` in Python, `common.v1.Decimal` on the wire, NUMERIC(38,18) in Postgres."""

import re
from decimal import Decimal

from quantmesh.api.common.v1 import common_pb2
from quantmesh.chassis.errors import InvalidInput, Violation

INTEGER_DIGITS = 20
FRACTION_DIGITS = 18
# Rounding carries no further.
_TOO_LARGE = Decimal(10) ** INTEGER_DIGITS - 1
_PLAIN = re.compile(rf"-?[0-9]{{1,{INTEGER_DIGITS}}}(\.[0-9]{{1,{FRACTION_DIGITS}}})?", re.ASCII)
_WANTED = (
    f"a plain decimal such as 129.41, with at most {INTEGER_DIGITS} digits before and {FRACTION_DIGITS} after the point"
)


def to_proto(value: Decimal) -> common_pb2.Decimal:
    """Plain notation with the trailing zeros kept, so that cents stay cents.

    Raises ValueError for what NUMERIC(38,18) cannot hold: round first, nothing is rounded here.
    """
    return common_pb2.Decimal(value=to_text(value))


def can_be_told(value: Decimal) -> bool:
    """Whether a number of this size fits, once it is rounded to its places: `to_proto` takes it then."""
    return value.is_finite() and abs(value) < _TOO_LARGE


def to_text(value: Decimal) -> str:
    text = f"{value:f}" if value.is_finite() else str(value)
    if not _PLAIN.fullmatch(text):
        msg = f"{value} is not {_WANTED}"
        raise ValueError(msg)
    return text


def from_proto(message: common_pb2.Decimal, field: str) -> Decimal:
    """InvalidInput names `field` where the text is missing, not finite, in exponent notation or too long."""
    return from_text(message.value, field)


def from_text(text: str, field: str) -> Decimal:
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    if not text:
        description = f"missing; it is {_WANTED}"
    else:
        shown = text if len(text) <= 48 else f"{text[:48]}..."
        description = f"{shown!r} is not {_WANTED}"
    detail = f"{field} is {description}."
    raise InvalidInput(detail, violations=[Violation(field, description)])
