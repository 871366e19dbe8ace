"""The types that every resource shares: strict, bounded, and described in OpenAPI."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

DECIMAL_PATTERN = r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$"
SYMBOL_PATTERN = r"^[A-Z0-9][A-Z0-9-]{0,31}$"
UUID_PATTERN = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"

_DECIMAL = re.compile(DECIMAL_PATTERN[1:-1])
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:([0-9]{2})(?:\.([0-9]+))?(?:[Zz]|[+-][0-9]{2}:[0-5][0-9])"
)
_FRACTION_DIGITS = 9
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FLAGS = {"true": True, "false": False}
# How a query has each of them, which is how JSON has it.
_WRITTEN: dict[Any, tuple[re.Pattern[str], Callable[[str], object], str]] = {
    bool: (re.compile("true|false"), _FLAGS.__getitem__, "must be true or false"),
    int: (re.compile("-?[0-9]{1,30}"), int, "must be a whole number such as 100, in digits"),
    float: (re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?"), float, "must be a number such as 0.02"),
}


class Body(BaseModel):
    """What a client sends: nothing coerced, nothing unknown, nothing infinite."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class Query(BaseModel):
    """Query parameters, which are text: booleans are true or false, numbers their digits, and nothing else is."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _read(cls, text: object, info: ValidationInfo) -> object:
        if not isinstance(text, str):
            return text
        kind = cls.model_fields[info.field_name or ""].annotation
        if bool in get_args(kind):
            # Or a word, which is checked as such.
            return _FLAGS.get(text, text)
        if kind not in _WRITTEN:
            return text
        form, read, wanted = _WRITTEN[kind]
        if not form.fullmatch(text):
            raise ValueError(wanted)
        return read(text)


class Shown(BaseModel):
    """What a client is shown; describes and, in tests, checks what the translations write."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _decimal(value: object) -> str:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        msg = 'must be a decimal string such as "129.41", at most 20 digits before the point and 18 after it'
        raise ValueError(msg)
    return value


def _positive(value: object) -> object:
    if isinstance(value, str) and (value.startswith("-") or not value.strip("0.")):
        msg = "must be greater than zero"
        raise ValueError(msg)
    return value


def _amount(value: object) -> object:
    """A model's input: a number, or the decimal string that money is elsewhere."""
    return float(_decimal(value)) if isinstance(value, str) else value


def _instant(value: object) -> object:
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        msg = "must be a time as RFC 3339 has it, with its offset, such as 2020-01-02T15:00:00Z"
        raise ValueError(msg)
    second, fraction = found[1], found[2] or ""
    if len(fraction) > _FRACTION_DIGITS:
        msg = f"has {len(fraction)} digits of a second's fraction; at most {_FRACTION_DIGITS} are taken"
        raise ValueError(msg)
    if second == "60":
        msg = "is a leap second, of which there are none here: seconds go from 00 to 59"
        raise ValueError(msg)
    try:
        # What is finer than microseconds it cuts off, as everywhere in the mesh.
        local = datetime.fromisoformat(found[0].upper())
    except ValueError as error:
        msg = "must be a day of the calendar in the years 1 to 9999, with a time and an offset below 24:00"
        raise ValueError(msg) from error
    try:
        return local.astimezone(UTC)
    except OverflowError as error:
        msg = "must be in the years 1 to 9999 in UTC"
        raise ValueError(msg) from error


def _date(value: object) -> object:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    msg = "must be a date such as 2020-01-02"
    raise ValueError(msg)


def _schema(**schema: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **schema})


DecimalText = Annotated[str, BeforeValidator(_decimal), _schema(pattern=DECIMAL_PATTERN, examples=["129.41"])]
PositiveDecimal = Annotated[
    str,
    BeforeValidator(_positive),
    BeforeValidator(_decimal),
    _schema(pattern=DECIMAL_PATTERN, examples=["10"], description="Greater than zero."),
]
Amount = Annotated[
    float,
    BeforeValidator(_amount),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": DECIMAL_PATTERN}]}),
]
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    _schema(
        format="date-time",
        examples=["2020-01-02T15:00:00Z"],
        description="RFC 3339, to the microsecond: further digits, up to 9 in all, are cut off. No leap seconds.",
    ),
]
Day = Annotated[date, BeforeValidator(_date), _schema(format="date", examples=["2020-01-02"])]
Symbol = Annotated[str, StringConstraints(pattern=SYMBOL_PATTERN)]
Id = Annotated[str, StringConstraints(pattern=UUID_PATTERN)]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
# Text for people: no control characters, which logs, CSV and Postgres (NUL) would choke on.
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=PRINTABLE)]
Note = Annotated[str, StringConstraints(max_length=500, pattern=PRINTABLE)]
Cursor = Annotated[str, StringConstraints(max_length=512, pattern=r"^[A-Za-z0-9_=.:|-]*$")]
ShownInstant = Annotated[str, _schema(format="date-time")]
ShownDate = Annotated[str, _schema(format="date")]


class PageQuery(Query):
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Cursor = ""


class BitemporalQuery(Query):
    as_of: Annotated[Instant | None, Field(description="True at this market time; now where absent.")] = None
    known_at: Annotated[Instant | None, Field(description="As known at this system time; now where absent.")] = None


class MoneyShown(Shown):
    currency: str
    amount: DecimalText


class Violation(Shown):
    pointer: str
    detail: str


class Problem(Shown):
    """RFC 9457. `type` is documented at the address that it names."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[Violation] = Field(default_factory=list)
    rule: Annotated[str | None, Field(description="The rule that denies an order; the first of several.")] = None
    denials: Annotated[
        list[dict[str, Any]], Field(description="Each rule that denies an order: value, limit, and the value after it.")
    ] = Field(default_factory=list)
    suggestion: Annotated[
        dict[str, Any] | None, Field(description="What to put into the request for it to pass, where that is known.")
    ] = None
