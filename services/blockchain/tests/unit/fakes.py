"""A chain, a key and a turn in memory, which a test can push around."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID, uuid4

from quantmesh.blockchain.adapters.hashing import keccak256
from quantmesh.blockchain.core.errors import NodeUnavailable
from quantmesh.blockchain.core.fees import Fees
from quantmesh.blockchain.core.model import (
    Anchor,
    AnchorStatus,
    Attempt,
    Call,
    ChainTransaction,
    Head,
    Outcome,
    Place,
    Receipt,
    Submission,
)

CONTRACT = "0x00000000000000000000000000000000000A4c04"
DEPLOYER = "0x00000000000000000000000000000000000dE910"
SENDER = "0x0000000000000000000000000000000000005e4d"


class FakeContract:
    address = CONTRACT
    deployment: Call | None = Call(DEPLOYER, b"code")

    def anchor(self, root: bytes) -> Call:
        return Call(CONTRACT, root)


class FakeSigner:
    address = SENDER

    def sign(self, call: Call, nonce: int, gas_limit: int, fees: Fees, now: datetime) -> Attempt:
        raw = json.dumps([nonce, call.to, call.data.hex(), fees.max_fee_per_gas]).encode()
        return Attempt(hash=keccak256(raw), raw=raw, fees=fees, sent_at=now)


@dataclass(frozen=True)
class Sent:
    hash: bytes
    nonce: int
    call: Call
    max_fee: int


@dataclass
class Block:
    hash: bytes
    transactions: list[Sent] = field(default_factory=list)


class FakeChain:
    """Blocks are lists of transactions; everything else is read off them. One sender."""

    def __init__(self) -> None:
        self.blocks: list[Block] = [Block(keccak256(b"genesis"))]
        self.pool: dict[int, Sent] = {}
        self.minimum_fee = 0
        self.broadcasts: list[bytes] = []
        self.silent = False
        self._blocks_made = 0

    def mine(self, count: int = 1) -> None:
        for _ in range(count):
            self._blocks_made += 1
            block = Block(keccak256(b"block" + self._blocks_made.to_bytes(4)))
            nonce = self._nonce()
            while (sent := self.pool.get(nonce)) is not None and sent.max_fee >= self.minimum_fee:
                block.transactions.append(self.pool.pop(nonce))
                nonce += 1
            self.blocks.append(block)

    def lose(self, depth: int) -> None:
        """A reorganisation that drops the newest blocks and all that was in them; as many empty ones follow."""
        del self.blocks[-depth:]
        self.pool.clear()
        self.mine(depth)

    def lose_everything(self) -> None:
        self.blocks = [Block(keccak256(b"another genesis"))]
        self.pool.clear()

    def spend_nonce(self) -> None:
        """Somebody else sends with the same key."""
        nonce = self._nonce()
        self.pool[nonce] = Sent(keccak256(b"foreign" + nonce.to_bytes(4)), nonce, Call(SENDER, b""), 10**18)

    async def head(self) -> Head:
        if self.silent:
            raise NodeUnavailable("fake", "it is silent")
        return Head(number=len(self.blocks) - 1, base_fee_per_gas=100)

    async def block_hash(self, number: int) -> bytes | None:
        return self.blocks[number].hash if number < len(self.blocks) else None

    async def has_code(self, address: str) -> bool:
        return address == DEPLOYER or any(sent.call.to == DEPLOYER for _, sent in self._mined())

    async def anchored_at(self, contract: str, root: bytes) -> int:
        place = await self.place_of(contract, root)
        return 0 if place is None else place.block_number

    async def place_of(self, contract: str, root: bytes) -> Place | None:
        for number, sent in self._mined():
            if sent.call == Call(contract, root):
                return Place(contract, sent.hash, number, self.blocks[number].hash)
        return None

    async def receipt(self, transaction_hash: bytes) -> Receipt | None:
        for number, sent in self._mined():
            if sent.hash == transaction_hash:
                roots = {(CONTRACT, sent.call.data)} if sent.call.to == CONTRACT else set()
                return Receipt(True, number, 21_000, frozenset(roots))
        return None

    async def transaction(self, transaction_hash: bytes) -> ChainTransaction | None:
        if not await self.knows(transaction_hash):
            return None
        return ChainTransaction(transaction_hash, SENDER, CONTRACT, await self.receipt(transaction_hash), None)

    async def knows(self, transaction_hash: bytes) -> bool:
        pooled = any(sent.hash == transaction_hash for sent in self.pool.values())
        return pooled or await self.receipt(transaction_hash) is not None

    async def next_nonce(self, sender: str) -> int:
        return self._nonce()

    async def suggested_priority_fee(self) -> int:
        return 10

    async def estimate_gas(self, sender: str, call: Call, fees: Fees) -> int:
        return 50_000

    async def broadcast(self, raw: bytes) -> None:
        self.accept(raw)

    def accept(self, raw: bytes) -> None:
        self.broadcasts.append(raw)
        nonce, to, data, max_fee = json.loads(raw)
        rival = self.pool.get(nonce)
        if nonce >= self._nonce() and (rival is None or max_fee >= rival.max_fee * 1.1):
            self.pool[nonce] = Sent(keccak256(raw), nonce, Call(to, bytes.fromhex(data)), max_fee)

    def _mined(self) -> list[tuple[int, Sent]]:
        return [(number, sent) for number, block in enumerate(self.blocks) for sent in block.transactions]

    def _nonce(self) -> int:
        return len(self._mined())


class FakeTurn:
    """What the tables hold, without a transaction around it."""

    def __init__(self) -> None:
        self.leaves: dict[bytes, datetime] = {}
        self.paths: dict[bytes, tuple[bytes, ...]] = {}
        self.anchors: list[Anchor] = []
        self.submissions: dict[UUID, Submission] = {}
        self.outcomes: dict[UUID, Outcome] = {}
        self.told: list[bytes] = []

    async def newest_place(self) -> Place | None:
        places = [anchor.place for anchor in self.anchors if anchor.place is not None]
        return max(places, key=lambda place: place.block_number, default=None)

    async def withdraw(self, from_block: int) -> int:
        lost = [each for each in self.anchors if each.place is not None and each.place.block_number >= from_block]
        for anchor in lost:
            self._set(replace(anchor, status=AnchorStatus.PENDING, place=None))
        return len(lost)

    async def confirm(self, up_to_block: int, now: datetime) -> int:
        deep = [
            each
            for each in self.anchors
            if each.status is AnchorStatus.PLACED and each.place is not None and each.place.block_number <= up_to_block
        ]
        for anchor in deep:
            self._set(replace(anchor, status=AnchorStatus.CONFIRMED))
            self.told.append(anchor.root)
        return len(deep)

    async def waiting_since(self) -> datetime | None:
        return min((at for leaf, at in self.leaves.items() if leaf not in self.paths), default=None)

    async def waiting_leaves(self, limit: int) -> Sequence[bytes]:
        return [leaf for leaf in self.leaves if leaf not in self.paths][:limit]

    async def add_anchor(self, root: bytes, paths: Mapping[bytes, tuple[bytes, ...]], now: datetime) -> None:
        self.anchors.append(Anchor(uuid4(), root, AnchorStatus.PENDING, None))
        self.paths.update(paths)

    async def oldest_pending(self) -> Anchor | None:
        return next((each for each in self.anchors if each.status is AnchorStatus.PENDING), None)

    async def put_in_place(self, anchor_id: UUID, place: Place) -> None:
        anchor = next(each for each in self.anchors if each.id == anchor_id)
        self._set(replace(anchor, status=AnchorStatus.PLACED, place=place))

    async def open_submission(self) -> Submission | None:
        return next((each for each in self.submissions.values() if each.id not in self.outcomes), None)

    async def open(self, submission: Submission) -> None:
        assert await self.open_submission() is None, "two nonces under way"
        self.submissions[submission.id] = submission

    async def add_attempt(self, submission_id: UUID, attempt: Attempt) -> None:
        known = self.submissions[submission_id]
        self.submissions[submission_id] = replace(known, attempts=(*known.attempts, attempt))

    async def close(self, submission_id: UUID, outcome: Outcome) -> None:
        self.outcomes[submission_id] = outcome

    def _set(self, anchor: Anchor) -> None:
        self.anchors = [anchor if each.id == anchor.id else each for each in self.anchors]
