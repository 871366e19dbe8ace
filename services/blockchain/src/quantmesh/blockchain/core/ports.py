"""What the core needs from outside."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from quantmesh.blockchain.core.fees import Fees
from quantmesh.blockchain.core.model import (
    Anchor,
    Attempt,
    Call,
    ChainTransaction,
    Head,
    Inclusion,
    Outcome,
    Place,
    Receipt,
    Submission,
)

Keccak256 = Callable[[bytes], bytes]
# RFC 8785 bytes of a JSON value; raises ValueError where there are none.
Canonical = Callable[[object], bytes]


class Chain(Protocol):
    """A node of one network. Every method raises NodeUnavailable where the node does not answer."""

    async def head(self) -> Head: ...

    async def block_hash(self, number: int) -> bytes | None: ...

    async def has_code(self, address: str) -> bool: ...

    async def anchored_at(self, contract: str, root: bytes) -> int:
        """The root's block; zero where it, or the whole contract, is unknown."""
        ...

    async def place_of(self, contract: str, root: bytes) -> Place | None: ...

    async def receipt(self, transaction_hash: bytes) -> Receipt | None: ...

    async def transaction(self, transaction_hash: bytes) -> ChainTransaction | None: ...

    async def knows(self, transaction_hash: bytes) -> bool: ...

    async def next_nonce(self, sender: str) -> int:
        """How many transactions of `sender` are in blocks."""
        ...

    async def suggested_priority_fee(self) -> int: ...

    async def estimate_gas(self, sender: str, call: Call, fees: Fees) -> int:
        """Raises CallRefused where the call would revert, or `sender` cannot pay for it."""
        ...

    async def broadcast(self, raw: bytes) -> None:
        """Also what the node knows already. Raises BroadcastRefused where it does not take it."""
        ...


class Signer(Protocol):
    @property
    def address(self) -> str: ...

    def sign(self, call: Call, nonce: int, gas_limit: int, fees: Fees, now: datetime) -> Attempt: ...


class AnchorContract(Protocol):
    @property
    def address(self) -> str: ...

    @property
    def deployment(self) -> Call | None:
        """The call that puts the contract at `address`; None on a network where others deploy it."""
        ...

    def anchor(self, root: bytes) -> Call: ...


class Turn(Protocol):
    """One transaction in which nobody else sends: what was decided in it is written whole or not at all."""

    async def newest_place(self) -> Place | None: ...

    async def withdraw(self, from_block: int) -> int:
        """Make the anchors placed at or above `from_block` pending again; how many."""
        ...

    async def confirm(self, up_to_block: int, now: datetime) -> int:
        """Confirm the placed anchors up to there, each with its event; how many."""
        ...

    async def waiting_since(self) -> datetime | None:
        """When the oldest leaf without a batch arrived."""
        ...

    async def waiting_leaves(self, limit: int) -> Sequence[bytes]:
        """Different ones, the oldest first."""
        ...

    async def add_anchor(self, root: bytes, paths: Mapping[bytes, tuple[bytes, ...]], now: datetime) -> None: ...

    async def oldest_pending(self) -> Anchor | None: ...

    async def put_in_place(self, anchor_id: UUID, place: Place) -> None: ...

    async def open_submission(self) -> Submission | None: ...

    async def open(self, submission: Submission) -> None: ...

    async def add_attempt(self, submission_id: UUID, attempt: Attempt) -> None: ...

    async def close(self, submission_id: UUID, outcome: Outcome) -> None: ...


class Proofs(Protocol):
    async def inclusion_of(self, owner_id: UUID, transaction_id: UUID) -> Inclusion | None: ...
