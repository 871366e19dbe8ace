"""Proofs and what is on chain."""

from collections.abc import Mapping
from datetime import datetime

from quantmesh.client.models.base import Answer


class Anchor(Answer):
    network: str
    chain_id: int
    rpc_url: str | None = None
    contract: str
    transaction_hash: str
    block_number: int


class Proof(Answer):
    """Stands alone: `payload` hashes to `leaf`, `path` leads from it to `root`, and `root` is on chain at `anchor`."""

    leaf: str
    payload: Mapping[str, object]
    path: tuple[str, ...]
    root: str
    anchor: Anchor


class Verdict(Answer):
    valid: bool
    reason: str | None


class Network(Answer):
    name: str
    chain_id: int
    contract: str
    block_number: int
    confirmations: int
    available: bool


class ChainTransaction(Answer):
    hash: str
    network: str
    status: str
    block_number: int | None
    confirmations: int
    from_address: str | None
    to_address: str | None
    gas_used: int | None
    block_time: datetime | None
