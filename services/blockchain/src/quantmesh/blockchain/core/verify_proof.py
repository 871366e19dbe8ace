"""Whether a proof holds, judged by what it says and one node: nothing that we stored has a voice in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from quantmesh.blockchain.core.merkle import fold, leaf_of
from quantmesh.blockchain.core.model import Network
from quantmesh.blockchain.core.ports import Canonical, Chain, Keccak256

MAXIMUM_DEPTH = 16
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class AnchorClaim:
    """Where the proof says that its root is anchored."""

    network: str
    chain_id: int
    contract: str
    transaction_hash: str
    block_number: int


@dataclass(frozen=True, slots=True)
class Proof:
    """Of the right shape, and not believed: every hash is still the text that came."""

    leaf: str
    payload: Mapping[str, object]
    path: tuple[str, ...]
    root: str
    anchor: AnchorClaim


class Refuted(Exception):
    """The outcome of a judgement, and no error: the proof does not hold; the sentence says where it broke."""


async def verify_proof(
    proof: Proof, chain: Chain, network: Network, canonical: Canonical, keccak256: Keccak256
) -> None:
    """Returns where the proof holds. Raises Refuted where it does not, NodeUnavailable where the node cannot say."""
    root = _recompute_root(proof, canonical, keccak256)
    contract = _require_our_contract(proof.anchor, network)
    await _require_anchored(root, contract, proof.anchor, chain, network)


def _recompute_root(proof: Proof, canonical: Canonical, keccak256: Keccak256) -> bytes:
    claimed_leaf, claimed_root = _hash_of(proof.leaf, "leaf"), _hash_of(proof.root, "root")
    path = [_hash_of(element, f"path[{index}]") for index, element in enumerate(proof.path)]
    _require_plain(proof.payload)
    try:
        payload = canonical(proof.payload)
    except ValueError as error:
        msg = f"The payload has no canonical form: {error}."
        raise Refuted(msg) from error
    leaf = leaf_of(payload, keccak256)
    if leaf != claimed_leaf:
        msg = f"The payload hashes to the leaf 0x{leaf.hex()}, not to {proof.leaf}: one of the two was altered."
        raise Refuted(msg)
    root = fold(leaf, path, keccak256)
    if root != claimed_root:
        msg = f"The path leads from the leaf to the root 0x{root.hex()}, not to {proof.root}."
        raise Refuted(msg)
    return root


def _require_our_contract(anchor: AnchorClaim, network: Network) -> str:
    """It is ours by configuration: one of the sender's own would answer whatever the sender likes."""
    if (anchor.chain_id, anchor.network) != (network.chain_id, network.name):
        msg = (
            f"The anchor is on {anchor.network} (chain id {anchor.chain_id}); "
            f"this verifier asks {network.name} (chain id {network.chain_id}) alone."
        )
        raise Refuted(msg)
    contract = network.our_contract(anchor.contract)
    if contract is None:
        msg = f"Roots are recorded by the contract {network.contract}, not by {anchor.contract}."
        raise Refuted(msg)
    return contract


async def _require_anchored(root: bytes, contract: str, claim: AnchorClaim, chain: Chain, network: Network) -> None:
    transaction_hash = _hash_of(claim.transaction_hash, "anchor.transaction_hash")
    head = await chain.head()
    block_number = await chain.anchored_at(contract, root)
    if block_number == 0:
        msg = f"The root 0x{root.hex()} is not anchored by {contract} on {network.name}."
        raise Refuted(msg)
    if block_number != claim.block_number:
        msg = f"The root is anchored in block {block_number}, not in {claim.block_number}; ask for the proof again."
        raise Refuted(msg)
    receipt = await chain.receipt(transaction_hash)
    if receipt is None or (contract, root) not in receipt.anchored_roots:
        msg = f"The transaction 0x{transaction_hash.hex()} did not anchor this root; ask for the proof again."
        raise Refuted(msg)
    confirmations = network.confirmations_of(block_number, head.number)
    if confirmations < network.confirmations:
        msg = f"The anchor has {confirmations} of {network.confirmations} confirmations; try again in a moment."
        raise Refuted(msg)


def hash_from_hex(text: str) -> bytes | None:
    """The 32 bytes that 0x and 64 hex digits write; None for any other text."""
    return bytes.fromhex(text[2:]) if _HASH.fullmatch(text) else None


def _hash_of(text: str, name: str) -> bytes:
    value = hash_from_hex(text)
    if value is None:
        msg = f"{name} is not 32 bytes in hex (0x and 64 digits)."
        raise Refuted(msg)
    return value


def _require_plain(payload: Mapping[str, object]) -> None:
    """Payloads are made of strings, arrays and objects: 1, 1.0 and 1e0 would be three spellings behind one hash."""
    pending: list[tuple[object, str, int]] = [(payload, "payload", 0)]
    while pending:
        value, name, depth = pending.pop()
        if depth > MAXIMUM_DEPTH:
            msg = f"The payload is nested deeper than {MAXIMUM_DEPTH} levels."
            raise Refuted(msg)
        if isinstance(value, Mapping):
            pending.extend((member, f"{name}.{key}", depth + 1) for key, member in value.items())
        elif isinstance(value, list):
            pending.extend((element, f"{name}[{index}]", depth + 1) for index, element in enumerate(value))
        elif not isinstance(value, str):
            msg = f"{name[:100]} is no string, array or object; payloads hold nothing else."
            raise Refuted(msg)
