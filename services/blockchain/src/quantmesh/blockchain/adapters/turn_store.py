"""The SQL of one turn of anchoring, inside its transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from quantmesh.api.blockchain.v1.events_pb2 import AnchorConfirmed
from quantmesh.blockchain.adapters.messages import anchor_message
from quantmesh.blockchain.core.fees import Fees
from quantmesh.blockchain.core.model import Anchor, AnchorStatus, Attempt, Call, Network, Outcome, Place, Submission
from quantmesh.chassis import outbox
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.sql import Row, Session, text
from quantmesh.chassis.telemetry import tracing

_NEWEST_PLACE = text(
    """
    SELECT id, root, status, contract, transaction_hash, block_number, block_hash FROM anchor
    WHERE chain_id = :chain_id AND status <> 'pending' ORDER BY block_number DESC LIMIT 1
    """
)
_WITHDRAW = text(
    """
    UPDATE anchor SET status = 'pending', contract = NULL, transaction_hash = NULL, block_number = NULL,
                      block_hash = NULL, confirmed_at = NULL
    WHERE chain_id = :chain_id AND status <> 'pending' AND block_number >= :from_block
    RETURNING id
    """
)
_CONFIRM = text(
    """
    UPDATE anchor SET status = 'confirmed', confirmed_at = :now
    WHERE chain_id = :chain_id AND status = 'placed' AND block_number <= :up_to_block
    RETURNING id, root, status, contract, transaction_hash, block_number, block_hash
    """
)
_LEAVES_OF = text(
    "SELECT transaction_id, traceparent, received_at FROM leaf WHERE anchor_id = :anchor_id ORDER BY transaction_id"
)
_WAITING_SINCE = text("SELECT min(received_at) FROM leaf WHERE anchor_id IS NULL")
_WAITING_LEAVES = text("SELECT hash FROM leaf WHERE anchor_id IS NULL ORDER BY received_at LIMIT :limit")
_ADD_ANCHOR = text("INSERT INTO anchor (id, chain_id, root, created_at) VALUES (:id, :chain_id, :root, :now)")
_ASSIGN_LEAVES = text(
    """
    UPDATE leaf SET anchor_id = :anchor_id, path = batch.path
    FROM unnest(CAST(:hashes AS bytea[]), CAST(:paths AS bytea[])) AS batch (hash, path)
    WHERE leaf.hash = batch.hash
    """
)
_OLDEST_PENDING = text(
    """
    SELECT id, root, status, contract, transaction_hash, block_number, block_hash FROM anchor
    WHERE chain_id = :chain_id AND status = 'pending' ORDER BY created_at, id LIMIT 1
    """
)
_PUT_IN_PLACE = text(
    """
    UPDATE anchor SET status = 'placed', contract = :contract, transaction_hash = :transaction_hash,
                      block_number = :block_number, block_hash = :block_hash
    WHERE id = :id AND status = 'pending'
    """
)
_OPEN_SUBMISSION = text(
    """
    SELECT id, purpose, nonce, recipient, data, gas_limit FROM submission
    WHERE chain_id = :chain_id AND sender = :sender AND outcome IS NULL
    """
)
# Each offers more than the one before it; the clock may have been set back between them.
_ATTEMPTS = text(
    """
    SELECT hash, raw, max_fee_per_gas, max_priority_fee_per_gas, sent_at FROM attempt
    WHERE submission_id = :submission_id ORDER BY max_fee_per_gas
    """
)
_ADD_SUBMISSION = text(
    """
    INSERT INTO submission (id, chain_id, sender, purpose, nonce, recipient, data, gas_limit)
    VALUES (:id, :chain_id, :sender, :purpose, :nonce, :recipient, :data, :gas_limit)
    """
)
_ADD_ATTEMPT = text(
    """
    INSERT INTO attempt (submission_id, hash, raw, max_fee_per_gas, max_priority_fee_per_gas, sent_at)
    VALUES (:submission_id, :hash, :raw, :max_fee_per_gas, :max_priority_fee_per_gas, :sent_at)
    """
)
# A batch of thousands would fill the exporter's queue, and tell the same of each.
_TRACED_LEAVES = 128
_CLOSE = text("UPDATE submission SET outcome = :outcome, closed_at = now() WHERE id = :id AND outcome IS NULL")


class TurnStore:
    """A Turn. Nothing in it is seen by anybody before the transaction commits."""

    def __init__(self, session: Session, network: Network, sender: str) -> None:
        self._session = session
        self._network = network
        self._chain = {"chain_id": network.chain_id}
        self._sender = sender

    async def newest_place(self) -> Place | None:
        row = (await self._session.execute(_NEWEST_PLACE, self._chain)).one_or_none()
        return None if row is None else anchor_from(row).place

    async def withdraw(self, from_block: int) -> int:
        return len((await self._session.execute(_WITHDRAW, {**self._chain, "from_block": from_block})).all())

    async def confirm(self, up_to_block: int, now: datetime) -> int:
        rows = (await self._session.execute(_CONFIRM, {**self._chain, "up_to_block": up_to_block, "now": now})).all()
        for row in rows:
            await self._tell(anchor_from(row), now)
        return len(rows)

    async def waiting_since(self) -> datetime | None:
        oldest: datetime | None = await self._session.scalar(_WAITING_SINCE)
        return oldest

    async def waiting_leaves(self, limit: int) -> Sequence[bytes]:
        return await self._session.scalars(_WAITING_LEAVES, {"limit": limit})

    async def add_anchor(self, root: bytes, paths: Mapping[bytes, tuple[bytes, ...]], now: datetime) -> None:
        anchor_id = uuid7()
        await self._session.execute(_ADD_ANCHOR, {**self._chain, "id": anchor_id, "root": root, "now": now})
        await self._session.execute(
            _ASSIGN_LEAVES,
            {
                "anchor_id": anchor_id,
                "hashes": list(paths),
                "paths": [b"".join(path) for path in paths.values()],
            },
        )

    async def oldest_pending(self) -> Anchor | None:
        row = (await self._session.execute(_OLDEST_PENDING, self._chain)).one_or_none()
        return None if row is None else anchor_from(row)

    async def put_in_place(self, anchor_id: UUID, place: Place) -> None:
        await self._session.execute(
            _PUT_IN_PLACE,
            {
                "id": anchor_id,
                "contract": place.contract,
                "transaction_hash": place.transaction_hash,
                "block_number": place.block_number,
                "block_hash": place.block_hash,
            },
        )

    async def open_submission(self) -> Submission | None:
        row = (await self._session.execute(_OPEN_SUBMISSION, {**self._chain, "sender": self._sender})).one_or_none()
        if row is None:
            return None
        attempts = (await self._session.execute(_ATTEMPTS, {"submission_id": row.id})).all()
        return Submission(
            id=row.id,
            purpose=row.purpose,
            nonce=row.nonce,
            call=Call(row.recipient, row.data),
            gas_limit=row.gas_limit,
            attempts=tuple(
                Attempt(
                    hash=attempt.hash,
                    raw=attempt.raw,
                    fees=Fees(int(attempt.max_fee_per_gas), int(attempt.max_priority_fee_per_gas)),
                    sent_at=attempt.sent_at,
                )
                for attempt in attempts
            ),
        )

    async def open(self, submission: Submission) -> None:
        await self._session.execute(
            _ADD_SUBMISSION,
            {
                **self._chain,
                "id": submission.id,
                "sender": self._sender,
                "purpose": submission.purpose,
                "nonce": submission.nonce,
                "recipient": submission.call.to,
                "data": submission.call.data,
                "gas_limit": submission.gas_limit,
            },
        )
        for attempt in submission.attempts:
            await self.add_attempt(submission.id, attempt)

    async def add_attempt(self, submission_id: UUID, attempt: Attempt) -> None:
        await self._session.execute(
            _ADD_ATTEMPT,
            {
                "submission_id": submission_id,
                "hash": attempt.hash,
                "raw": attempt.raw,
                "max_fee_per_gas": attempt.fees.max_fee_per_gas,
                "max_priority_fee_per_gas": attempt.fees.max_priority_fee_per_gas,
                "sent_at": attempt.sent_at,
            },
        )

    async def close(self, submission_id: UUID, outcome: Outcome) -> None:
        await self._session.execute(_CLOSE, {"id": submission_id, "outcome": outcome.value})

    async def _tell(self, anchor: Anchor, now: datetime) -> None:
        leaves = (await self._session.execute(_LEAVES_OF, {"anchor_id": anchor.id})).all()
        confirmed = AnchorConfirmed(root=anchor.root, transaction_ids=[str(leaf.transaction_id) for leaf in leaves])
        if anchor.place is not None:
            confirmed.anchor.CopyFrom(anchor_message(self._network, anchor.place))
            _trace(self._network, anchor.root, anchor.place, leaves, now)
        await outbox.append(
            self._session, "blockchain.anchor.confirmed", confirmed, aggregate_id=anchor.id, occurred_at=now
        )


def _trace(network: Network, root: bytes, place: Place, leaves: Sequence[Row], now: datetime) -> None:
    """The last span of each trace that brought a leaf: from its arrival until the chain held it deep enough."""
    attributes: dict[str, str | int] = {
        "blockchain.network": network.name,
        "blockchain.root": root.hex(),
        "blockchain.transaction_hash": place.transaction_hash.hex(),
        "blockchain.block_number": place.block_number,
    }
    # An import's leaves have a trace in common.
    traced = {leaf.traceparent: leaf for leaf in leaves if leaf.traceparent}
    for leaf in list(traced.values())[:_TRACED_LEAVES]:
        tracing.add_span("anchor on chain", leaf.traceparent, leaf.received_at, now, attributes)


def anchor_from(row: Row) -> Anchor:
    placed = row.block_number is not None
    return Anchor(
        id=row.id,
        root=row.root,
        status=AnchorStatus(row.status),
        place=Place(row.contract, row.transaction_hash, row.block_number, row.block_hash) if placed else None,
    )
