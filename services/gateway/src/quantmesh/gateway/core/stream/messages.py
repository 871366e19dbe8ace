"""What clients say on the stream, checked; and what they are answered."""

import json
import re
from dataclasses import dataclass
from typing import Literal

from quantmesh.chassis.errors import NotFound
from quantmesh.gateway.core import strict_json
from quantmesh.gateway.core.errors import InvalidRequest, MalformedRequest

MAXIMUM_CHANNELS_PER_MESSAGE = 200
Kind = Literal["quotes", "portfolio", "jobs", "predictions", "halts"]

_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9-]{0,31}")
# What stands behind the dot, and how a client is told of it.
_KEYS: dict[Kind, tuple[re.Pattern[str], str]] = {
    "quotes": (_SYMBOL, "quotes.<SYMBOL>, such as quotes.AAPL"),
    "portfolio": (re.compile(_UUID), "portfolio.<id>, with the portfolio's id, a UUID"),
    "jobs": (
        re.compile(f"[a-z]{{1,32}}-{_UUID}"),
        "jobs.<id>, with the job's whole id, such as prediction-019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10",
    ),
    "predictions": (_SYMBOL, "predictions.<SYMBOL>, such as predictions.AAPL"),
    "halts": (re.compile(""), "halts, which takes nothing behind it"),
}


@dataclass(frozen=True, slots=True)
class Channel:
    """`quotes.AAPL`: its kind, and whose; `halts` are everyone's."""

    kind: Kind
    key: str

    def __str__(self) -> str:
        return f"{self.kind}.{self.key}" if self.key else self.kind


@dataclass(frozen=True, slots=True)
class Authenticate:
    token: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resume:
    channel: str
    after_seq: int


@dataclass(frozen=True, slots=True)
class Ping:
    pass


Message = Authenticate | Subscribe | Unsubscribe | Resume | Ping


def parse(text: str) -> Message:
    """Raises MalformedRequest for what is not JSON in Unicode, InvalidRequest for what is no message."""
    value = _value(text)
    if not isinstance(value, dict):
        raise InvalidRequest.single("#", "must be an object with an op")
    fields = {key: item for key, item in value.items() if key != "op"}
    match value.get("op"):
        case "auth":
            return Authenticate(_text(_only(fields, "token"), "token", 4096))
        case "subscribe":
            return Subscribe(_channels(_only(fields, "channels")))
        case "unsubscribe":
            return Unsubscribe(_channels(_only(fields, "channels")))
        case "resume":
            _only(fields, "channel", "after_seq")
            after = fields.get("after_seq")
            if type(after) is not int or not 0 <= after < 2**63:
                raise InvalidRequest.single("#/after_seq", "must be the last seq that you have, 0 for none")
            return Resume(_folded(_text(fields, "channel", 128)), after)
        case "ping":
            _only(fields)
            return Ping()
        case _:
            raise InvalidRequest.single("#/op", "must be auth, subscribe, unsubscribe, resume or ping")


def channel(name: str) -> Channel:
    """As a message names it. Raises NotFound: what has no such form names no channel."""
    kind, dot, key = name.partition(".")
    if kind not in _KEYS:
        forms = ", ".join(form.partition(",")[0] for _, form in _KEYS.values())
        msg = f"There is no channel {name[:64]!r}; there are {forms}."
        raise NotFound(msg)
    pattern, form = _KEYS[kind]
    if bool(dot) == (kind != "halts") and pattern.fullmatch(key):
        return Channel(kind, key)
    msg = f"There is no channel {name[:64]!r}; one of this kind is {form}."
    raise NotFound(msg)


def _value(text: str) -> object:
    try:
        value = strict_json.parse(text.encode())
        if "\\u" in text:
            # Half of a surrogate pair can be escaped, and could not be sent back in an answer that names it.
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        msg = "The message has half of a surrogate pair, which is no character."
        raise MalformedRequest(msg) from error
    return value


def _only(fields: dict[str, object], *known: str) -> dict[str, object]:
    for key in fields:
        if key not in known:
            raise InvalidRequest.single(f"#/{key[:64]}", f"is unknown here; known: {', '.join(('op', *known))}")
    return fields


def _text(fields: dict[str, object], name: str, maximum: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= maximum:
        raise InvalidRequest.single(f"#/{name}", f"must be a text of 1 to {maximum} characters")
    return value


def _channels(fields: dict[str, object]) -> tuple[str, ...]:
    names = fields.get("channels")
    if not isinstance(names, list) or not 0 < len(names) <= MAXIMUM_CHANNELS_PER_MESSAGE:
        raise InvalidRequest.single("#/channels", f"must be a list of 1 to {MAXIMUM_CHANNELS_PER_MESSAGE} channels")
    wrong = next((index for index, name in enumerate(names) if not isinstance(name, str) or len(name) > 128), None)
    if wrong is not None:
        raise InvalidRequest.single(f"#/channels/{wrong}", 'must be a channel such as "quotes.AAPL"')
    return tuple(dict.fromkeys(map(_folded, names)))


def _folded(name: str) -> str:
    """An id in capitals is the same id; a symbol is not."""
    kind, dot, key = name.partition(".")
    return f"{kind}{dot}{key.lower()}" if kind in ("portfolio", "jobs") else name
