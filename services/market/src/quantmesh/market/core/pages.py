"""Cursors of pages: the key after which the next one begins, opaque to the caller."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode

from quantmesh.market.core.errors import InvalidCursor


def encode_cursor(key: str) -> str:
    return urlsafe_b64encode(key.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """The key; empty for the first page. Raises InvalidCursor."""
    try:
        key = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        raise InvalidCursor from None
    # The decoder skips what is no base64.
    if encode_cursor(key) != cursor or not key.isprintable():
        raise InvalidCursor
    return key


def page_limit(asked: int, default: int, most: int) -> int:
    """0 means the default; more than `most` gets `most`."""
    return min(asked or default, most)
