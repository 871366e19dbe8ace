"""Keccak-256 as Ethereum has it, which is not the SHA3-256 of the standard library."""

from Crypto.Hash import keccak


def keccak256(content: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=content).digest()
