"""Pages by key: an opaque cursor holds the key of the last item shown, so that new items shift nothing."""

import base64
import binascii
from collections.abc import Sequence

from quantmesh.portfolio.core.errors import InvalidRequest

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 1000


def page_limit(asked: int) -> int:
    """InvalidRequest over the largest; none asked for is the default."""
    if asked > LARGEST_LIMIT:
        raise InvalidRequest("limit", f"{asked} is more than {LARGEST_LIMIT}")
    return asked or DEFAULT_LIMIT


def to_cursor(key: Sequence[str]) -> str:
    return base64.urlsafe_b64encode("|".join(key).encode()).decode().rstrip("=")


def from_cursor(cursor: str, parts: int) -> list[str] | None:
    """None where there is no cursor; InvalidRequest for what was never one of ours."""
    if not cursor:
        return None
    try:
        key = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode().split("|")
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest("cursor", "is not one that this list gave") from error
    if len(key) != parts:
        raise InvalidRequest("cursor", "is not one that this list gave")
    return key
