"""The path of a recorded transaction to its anchored root."""

from dataclasses import dataclass
from uuid import UUID

from quantmesh.blockchain.core.errors import NotYetAnchored, ProofNotFound
from quantmesh.blockchain.core.model import AnchorStatus, Place
from quantmesh.blockchain.core.ports import Proofs


@dataclass(frozen=True, slots=True)
class InclusionProof:
    leaf: bytes
    path: tuple[bytes, ...]
    root: bytes
    place: Place


async def get_inclusion_proof(
    owner_id: UUID, transaction_id: UUID, proofs: Proofs, retry_after_seconds: float
) -> InclusionProof:
    """Raises ProofNotFound, and NotYetAnchored until the anchor has its confirmations."""
    inclusion = await proofs.inclusion_of(owner_id, transaction_id)
    if inclusion is None:
        raise ProofNotFound(transaction_id)
    anchor = inclusion.anchor
    if anchor is None or anchor.place is None or anchor.status is not AnchorStatus.CONFIRMED:
        raise NotYetAnchored(transaction_id, retry_after_seconds)
    return InclusionProof(inclusion.leaf, inclusion.path, anchor.root, anchor.place)
