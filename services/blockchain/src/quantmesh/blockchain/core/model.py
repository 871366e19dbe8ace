"""The values of anchoring. Hashes are 32 bytes, addresses EIP-55 text, gas prices wei."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from quantmesh.blockchain.core.fees import Fees

HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Network:
    """One EVM chain. A block with `confirmations` counts from one: the head itself has one.

    Roots are recorded by `contract`; what `former_contracts` recorded before it stays proven.
    """

    name: str
    chain_id: int
    confirmations: int
    contract: str
    public_rpc_url: str
    former_contracts: frozenset[str] = frozenset()

    def our_contract(self, address: str) -> str | None:
        """The one of ours that `address` means, whatever its spelling."""
        contracts = (self.contract, *self.former_contracts)
        return next((contract for contract in contracts if contract.lower() == address.lower()), None)

    def confirmations_of(self, block_number: int, head_number: int) -> int:
        return max(0, head_number - block_number + 1)


@dataclass(frozen=True, slots=True)
class Head:
    number: int
    base_fee_per_gas: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where on chain a root was anchored. The block's hash tells whether that block is still part of the chain."""

    contract: str
    transaction_hash: bytes
    block_number: int
    block_hash: bytes


class AnchorStatus(StrEnum):
    PENDING = "pending"
    PLACED = "placed"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A transaction of the ledger, as the chain sees it; `traceparent` is of the call that recorded it.

    Raises ValueError where `hash` is no hash.
    """

    transaction_id: UUID
    owner_id: UUID
    hash: bytes
    received_at: datetime
    traceparent: str = ""

    def __post_init__(self) -> None:
        if len(self.hash) != HASH_BYTES:
            msg = f"the leaf of {self.transaction_id} has {len(self.hash)} bytes, not {HASH_BYTES}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Anchor:
    """One Merkle root over a batch of leaves; `place` from the block that took it on, None before."""

    id: UUID
    root: bytes
    status: AnchorStatus
    place: Place | None


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The way of one leaf to its anchor's root; None in `anchor` while the leaf waits for its batch."""

    leaf: bytes
    path: tuple[bytes, ...]
    anchor: Anchor | None


@dataclass(frozen=True, slots=True)
class Call:
    """A contract call to be sent; an address and the ABI-encoded data."""

    to: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed spelling of a submission; replacing it means another with the same nonce and higher fees."""

    hash: bytes
    raw: bytes
    fees: Fees
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Submission:
    """A call that holds a nonce until the chain has counted past it. `attempts` is never empty, newest last."""

    id: UUID
    purpose: str
    nonce: int
    call: Call
    gas_limit: int
    attempts: tuple[Attempt, ...]


class Outcome(StrEnum):
    """How a submission ended."""

    MINED = "mined"
    REVERTED = "reverted"
    # The nonce went to a transaction that is not ours, or the chain lost the ones before it.
    SUPERSEDED = "superseded"


class ChainStatus(StrEnum):
    PENDING = "pending"
    INCLUDED = "included"
    CONFIRMED = "confirmed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Receipt:
    succeeded: bool
    block_number: int
    gas_used: int
    anchored_roots: frozenset[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class ChainTransaction:
    """A transaction as the node shows it; receipt and time are None until it is in a block."""

    hash: bytes
    sender: str
    recipient: str
    receipt: Receipt | None
    block_time: datetime | None
