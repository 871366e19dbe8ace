"""JSON as RFC 8259 and I-JSON have it: UTF-8, no duplicate keys, no NaN, no Infinity, bounded depth."""

import json
from typing import NoReturn

from quantmesh.gateway.core.errors import MalformedRequest

MAXIMUM_DEPTH = 64


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # set.add is falsy
        msg = f"The JSON object has the key {twice!r} twice."
        raise MalformedRequest(msg)
    return members


def _refuse_constant(token: str) -> NoReturn:
    msg = f"{token} is not JSON; numbers are finite here."
    raise MalformedRequest(msg)


_decode = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_constant=_refuse_constant).decode


def parse(body: bytes) -> object:
    """The value in `body`. Raises MalformedRequest, naming the place."""
    if not body:
        msg = "The body is empty; a JSON object is needed."
        raise MalformedRequest(msg)
    try:
        # A bracket count bounds the depth before the parser recurses; brackets in strings only make it stricter.
        if body.count(b"[") + body.count(b"{") > MAXIMUM_DEPTH and _depth(body) > MAXIMUM_DEPTH:
            msg = f"The JSON is nested deeper than {MAXIMUM_DEPTH} levels."
            raise MalformedRequest(msg)
        return _decode(body.decode())
    except UnicodeDecodeError as error:
        msg = f"The body is not UTF-8 at byte {error.start}."
        raise MalformedRequest(msg) from error
    except json.JSONDecodeError as error:
        msg = f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        raise MalformedRequest(msg) from error
    except ValueError as error:  # an integer of thousands of digits
        msg = "The body has a number with too many digits."
        raise MalformedRequest(msg) from error


def _depth(body: bytes) -> int:
    depth = deepest = 0
    in_string = escaped = False
    for byte in body:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest
