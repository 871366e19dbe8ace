"""What a proof hashes, and with what."""

import orjson
from sha3 import keccak_256

from quantmesh.portfolio.core.model import Transaction
from quantmesh.portfolio.core.proof import members_of


def payload_of(transaction: Transaction, salt: bytes) -> bytes:
    """RFC 8785 JSON: with texts for all values and ASCII names it is what any writer leaves, compact and sorted."""
    return orjson.dumps(members_of(transaction, salt), option=orjson.OPT_SORT_KEYS)


def keccak256(content: bytes) -> bytes:
    """Keccak-256 as Ethereum has it, which is not the SHA3-256 of the standard library."""
    digest: bytes = keccak_256(content).digest()
    return digest
