"""What requests read and events add: leaves, and the way to their anchors. A turn's own SQL is in `turn_store`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from quantmesh.blockchain.adapters.turn_store import TurnStore, anchor_from
from quantmesh.blockchain.core.errors import LeafChanged
from quantmesh.blockchain.core.model import HASH_BYTES, Inclusion, Leaf, Network
from quantmesh.chassis.database import Database
from quantmesh.chassis.sql import Session, plain_array, text

_INCLUSION = text(
    """
    SELECT leaf.hash, leaf.path, anchor.id, anchor.root, anchor.status, anchor.contract, anchor.transaction_hash,
           anchor.block_number, anchor.block_hash
    FROM leaf LEFT JOIN anchor ON anchor.id = leaf.anchor_id AND anchor.chain_id = :chain_id
    WHERE leaf.transaction_id = :transaction_id
    """
)
_ADD_LEAVES = text(
    """
    INSERT INTO leaf (transaction_id, owner_id, hash, received_at, traceparent)
    SELECT transaction_id, owner_id, decode(hash, 'hex'), received_at, traceparent FROM unnest(
        CAST(:transaction_ids AS uuid[]), CAST(:owner_ids AS uuid[]), CAST(:hashes AS text[]),
        CAST(:received_at AS timestamptz[]), CAST(:traceparents AS text[])
    ) AS came (transaction_id, owner_id, hash, received_at, traceparent)
    ON CONFLICT (transaction_id) DO NOTHING
    """
)
_CHANGED = text(
    """
    SELECT transaction_id, leaf.hash AS known, decode(came.hash, 'hex') AS came
    FROM unnest(CAST(:transaction_ids AS uuid[]), CAST(:hashes AS text[])) AS came (transaction_id, hash)
    JOIN leaf USING (transaction_id) WHERE leaf.hash <> decode(came.hash, 'hex') LIMIT 1
    """
)
# Each of the two has its partial index.
_UNANCHORED_SECONDS = text(
    """
    SELECT coalesce(extract(epoch FROM clock_timestamp() - least(
        (SELECT min(received_at) FROM leaf WHERE anchor_id IS NULL),
        (SELECT min(created_at) FROM anchor WHERE chain_id = :chain_id AND status = 'pending')
    )), 0)::float8
    """
)
_TAKE_TURN = text("SELECT pg_try_advisory_xact_lock(hashtextextended('quantmesh anchoring on ' || :chain_id, 0))")


class Store:
    """The tables of one network's anchoring."""

    def __init__(self, database: Database, network: Network, sender: str) -> None:
        self._database = database
        self._network = network
        self._sender = sender

    async def inclusion_of(self, owner_id: UUID, transaction_id: UUID) -> Inclusion | None:
        """Of the owner's own transactions alone: row-level security hides the others."""
        async with self._database.transaction(owner_id) as session:
            row = (
                await session.execute(
                    _INCLUSION, {"transaction_id": transaction_id, "chain_id": self._network.chain_id}
                )
            ).one_or_none()
        if row is None:
            return None
        path = row.path or b""
        return Inclusion(
            leaf=row.hash,
            path=tuple(path[start : start + HASH_BYTES] for start in range(0, len(path), HASH_BYTES)),
            anchor=None if row.id is None else anchor_from(row),
        )

    async def unanchored_seconds(self) -> float:
        """How long the oldest leaf or root has waited that is in no block; zero where none waits."""
        async with self._database.system_transaction() as session:
            return float(await session.scalar(_UNANCHORED_SECONDS, {"chain_id": self._network.chain_id}))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[TurnStore | None]:
        """The lock is the transaction's: whoever dies in a turn has done nothing in it, and holds nobody up."""
        async with self._database.system_transaction() as session:
            mine = await session.scalar(_TAKE_TURN, {"chain_id": str(self._network.chain_id)})
            yield TurnStore(session, self._network, self._sender) if mine else None


async def add_leaves(session: Session, leaves: Sequence[Leaf]) -> None:
    """Once per transaction. Raises LeafChanged where another leaf came for it before."""
    values = {
        "transaction_ids": plain_array(leaf.transaction_id for leaf in leaves),
        "owner_ids": plain_array(leaf.owner_id for leaf in leaves),
        "hashes": plain_array(leaf.hash.hex() for leaf in leaves),
        "received_at": plain_array(leaf.received_at.isoformat() for leaf in leaves),
        "traceparents": [leaf.traceparent for leaf in leaves],
    }
    if (await session.execute(_ADD_LEAVES, values)).rowcount == len(leaves):
        return
    changed = (await session.execute(_CHANGED, values)).one_or_none()
    if changed is not None:
        raise LeafChanged(changed.transaction_id, changed.known, changed.came)
