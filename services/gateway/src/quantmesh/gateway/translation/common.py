"""Values that every message shares: times, decimals, money, pages, enums, structs."""

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from quantmesh.api.common.v1.common_pb2 import Decimal, Money, PageInfo, PageRequest
from quantmesh.chassis.times import to_timestamp


def instant(message: Message, field: str) -> str | None:
    """RFC 3339 in UTC; None where it is not set."""
    if not message.HasField(field):
        return None
    stamp: Timestamp = getattr(message, field)
    return stamp.ToJsonString()


def decimal(message: Message, field: str) -> str | None:
    if not message.HasField(field):
        return None
    value: Decimal = getattr(message, field)
    return value.value or None


def optional(message: Message, field: str) -> Any:
    """A number or text; None where it is not set."""
    return getattr(message, field) if message.HasField(field) else None


def money(value: Money) -> dict[str, Any]:
    return {"currency": value.currency, "amount": value.amount.value}


def optional_money(message: Message, field: str) -> dict[str, Any] | None:
    return money(getattr(message, field)) if message.HasField(field) else None


def finite(value: float) -> float | None:
    """JSON has no infinity; what is none is null."""
    return value if math.isfinite(value) else None


def struct(value: Struct) -> dict[str, Any]:
    return MessageToDict(value)


def next_cursor(page: PageInfo) -> str | None:
    return page.next_cursor or None


def page_request(limit: int, cursor: str) -> PageRequest:
    return PageRequest(limit=limit, cursor=cursor)


def decimal_request(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(value=text)


def instant_request(moment: datetime | None) -> Timestamp | None:
    return None if moment is None else to_timestamp(moment)


def day_request(day: date | None) -> str:
    return "" if day is None else day.isoformat()


class EnumNames(dict[int, str]):
    """What the API calls an enum's numbers.

    Two releases run side by side: a number of a newer peer's has no name here yet, and spoils nothing of what is told
    beside it.
    """

    def __missing__(self, number: int) -> str:
        return "unknown"


def inverse(names: Mapping[str, int]) -> EnumNames:
    """From an enum's number to the API's name."""
    return EnumNames({int(number): name for name, number in names.items()})


def names_of(enum: Any, prefix: str) -> dict[str, Any]:
    """All of an enum's by what stands behind `prefix`, but for the one that says nothing (0)."""
    return {name.removeprefix(prefix).lower(): number for name, number in enum.items() if number}
