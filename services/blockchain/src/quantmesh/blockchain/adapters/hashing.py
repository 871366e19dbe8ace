"""The hash and the spelling that the core asks for, from libraries that many others rely on."""

from typing import Any, cast

import rfc8785
from Crypto.Hash import keccak


def keccak256(data: bytes) -> bytes:
    return keccak.new(data=data, digest_bits=256).digest()


def canonical(value: object) -> bytes:
    """RFC 8785. Raises ValueError where `value` has no such form (a lone surrogate, a number out of range)."""
    return rfc8785.dumps(cast("Any", value))
