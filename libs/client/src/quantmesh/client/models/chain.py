"""Proofs and what is on chain."""

from collections.abc import Mapping

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
