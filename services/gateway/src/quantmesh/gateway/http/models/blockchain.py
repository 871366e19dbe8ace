"""Proofs and what is on chain: bodies and answers."""

from typing import Annotated

from pydantic import Field

from quantmesh.gateway.http.models.base import Shown, ShownInstant


class AnchorShown(Shown):
    network: str
    chain_id: int
    rpc_url: str | None
    contract: str
    transaction_hash: str
    block_number: int


class ProofShown(Shown):
    """Stands alone: `payload` hashes to `leaf`, `path` leads to `root`, and `root` is at `anchor`."""

    leaf: str
    payload: dict[str, object]
    path: list[str]
    root: str
    anchor: AnchorShown


class VerdictShown(Shown):
    valid: bool
    reason: str | None


class NetworkShown(Shown):
    name: str
    chain_id: int
    contract: str
    block_number: int
    confirmations: Annotated[int, Field(description="Blocks after which an anchor counts.")]
    available: bool


class NetworksShown(Shown):
    data: list[NetworkShown]
    next_cursor: str | None


class ChainTransactionShown(Shown):
    hash: str
    network: str
    status: str
    block_number: int | None
    confirmations: int
    from_address: str | None
    to_address: str | None
    gas_used: int | None
    block_time: ShownInstant | None
