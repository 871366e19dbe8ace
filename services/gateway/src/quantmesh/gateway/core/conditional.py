"""Conditional requests (RFC 9110, 13): entity tags, If-None-Match, If-Match."""

import hashlib
import re

from quantmesh.gateway.core.errors import MalformedRequest

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
_TAGS = re.compile(rf"\s*{_TAG.pattern}\s*(?:,\s*{_TAG.pattern}\s*)*")
_VERSION = re.compile(r'"(0|[1-9][0-9]{0,17})"')


def content_tag(body: bytes) -> str:
    """A weak tag of what is said, whatever its content coding."""
    return f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def version_tag(version: int) -> str:
    return f'"{version}"'


def none_match(header: str, tag: str) -> bool:
    """True where If-None-Match names `tag`, by weak comparison: the client has this already."""
    if header.strip() == "*":
        return True
    return tag.removeprefix("W/") in {given.removeprefix("W/") for given in _TAG.findall(header)}


def expected_versions(header: str) -> frozenset[int] | None:
    """Those that If-Match lists; None where any will do. Weak tags, and those that no answer had, match nothing.

    Raises MalformedRequest for what is no list of tags.
    """
    if header.strip() == "*":
        return None
    if _TAGS.fullmatch(header) is None:
        msg = f'If-Match is {header[:64]!r}; send the ETag of the resource as it came, such as "3", or several of them.'
        raise MalformedRequest(msg)
    found = (_VERSION.fullmatch(tag) for tag in _TAG.findall(header))
    return frozenset(int(match[1]) for match in found if match is not None)
