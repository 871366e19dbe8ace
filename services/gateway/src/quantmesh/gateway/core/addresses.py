"""Whom an address stands for, where requests are counted by it."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

_PREFIX_BITS = 64
_HOST_MASK = (1 << (128 - _PREFIX_BITS)) - 1


@lru_cache(maxsize=10_000)
def counted_as(address: str) -> str:
    """Of IPv6 the network of 64 bits: whoever has one address of it has them all. What is no address stays as it is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) & ~_HOST_MASK)}/{_PREFIX_BITS}"
