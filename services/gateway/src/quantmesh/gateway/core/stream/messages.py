"""What clients say on the stream, checked; and what they are answered."""

import re
from dataclasses import dataclass
from typing import Literal

from quantmesh.chassis.errors import NotFound
from quantmesh.gateway.core import strict_json
from quantmesh.gateway.core.errors import InvalidRequest

MAXIMUM_CHANNELS_PER_MESSAGE = 200
Kind = Literal["quotes", "portfolio", "jobs", "predictions", "halts"]

_KEYS: dict[Kind, re.Pattern[str]] = {
    "quotes": re.compile(r"[A-Z0-9][A-Z0-9-]{0,31}"),
    "predictions": re.compile(r"[A-Z0-9][A-Z0-9-]{0,31}"),
    "portfolio": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "jobs": re.compile(r"[a-z]{1,32}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "halts": re.compile(""),
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
    """Raises MalformedRequest for what is not JSON, InvalidRequest for what is no message."""
    value = strict_json.parse(text.encode(errors="surrogatepass"))
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
            return Resume(_text(fields, "channel", 128), after)
        case "ping":
            _only(fields)
            return Ping()
        case _:
            raise InvalidRequest.single("#/op", "must be auth, subscribe, unsubscribe, resume or ping")


def channel(name: str) -> Channel:
    """Raises NotFound: what has no such form names no channel."""
    kind, dot, key = name.partition(".")
    if kind in _KEYS and bool(dot) == (kind != "halts"):
        pattern = _KEYS[kind]
        if kind in ("portfolio", "jobs"):
            key = key.lower()
        if pattern.fullmatch(key):
            return Channel(kind, key)
    msg = (
        f"There is no channel {name[:64]!r}; there are quotes.<SYMBOL>, portfolio.<id>, jobs.<id>,"
        " predictions.<SYMBOL> and halts."
    )
    raise NotFound(msg)


def _only(fields: dict[str, object], *known: str) -> dict[str, object]:
    for key in fields:
        if key not in known:
            raise InvalidRequest.single(f"#/{key[:64]}", f"is unknown here; known: op, {', '.join(known)}")
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
    return tuple(dict.fromkeys(names))
