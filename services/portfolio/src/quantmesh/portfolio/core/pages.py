"""Pages by key: an opaque cursor holds the key of the last item shown, so that new items shift nothing."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from quantmesh.portfolio.core.errors import InvalidCursor, InvalidRequest

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 1000
Item = TypeVar("Item")


def page_limit(asked: int) -> int:
    """InvalidRequest over the largest; none asked for is the default."""
    if asked > LARGEST_LIMIT:
        raise InvalidRequest("limit", f"{asked} is more than {LARGEST_LIMIT}")
    return asked or DEFAULT_LIMIT


def page_of(found: Sequence[Item], limit: int, key: Callable[[Item], Sequence[str]]) -> tuple[Sequence[Item], str]:
    """What is shown of what was `found`, which is one more where there is a next page, and the cursor of that page."""
    shown = found[:limit]
    return shown, to_cursor(key(shown[-1])) if len(found) > limit else ""


def to_cursor(key: Sequence[str]) -> str:
    return base64.urlsafe_b64encode("|".join(key).encode()).decode().rstrip("=")


def from_cursor(cursor: str, parts: int) -> list[str] | None:
    """None where there is no cursor; InvalidCursor for what was never one of ours."""
    if not cursor:
        return None
    try:
        key = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode().split("|")
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor from error
    if len(key) != parts:
        raise InvalidCursor
    return key


def id_from_cursor(cursor: str) -> UUID | None:
    key = from_cursor(cursor, 1)
    try:
        return None if key is None else UUID(key[0])
    except ValueError as error:
        raise InvalidCursor from error
