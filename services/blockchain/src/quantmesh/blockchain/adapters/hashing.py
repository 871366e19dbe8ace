"""The hash and the spelling that the core asks for, from libraries that many others rely on."""

from typing import Any, cast

import rfc8785
from sha3 import keccak_256


def keccak256(data: bytes) -> bytes:
    digest: bytes = keccak_256(data).digest()
    return digest


def canonical(value: object) -> bytes:
    """RFC 8785. Raises ValueError where `value` has no such form (a lone surrogate, a number out of range)."""
    return rfc8785.dumps(cast("Any", value))
