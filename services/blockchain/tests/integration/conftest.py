"""Anchoring on a real chain and a real Postgres; turns are taken and blocks are made by hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from quantmesh.blockchain.adapters.anchoring_loop import AnchoringLoop
from quantmesh.blockchain.adapters.chain import EvmChain
from quantmesh.blockchain.adapters.hashing import canonical, keccak256
from quantmesh.blockchain.adapters.merkle_anchor import deployed_by_us, load_artifact
from quantmesh.blockchain.adapters.proof_document import read_proof
from quantmesh.blockchain.adapters.signer import LOCAL_CHAIN_ID, LocalSigner, signer_for
from quantmesh.blockchain.adapters.store import Store, add_leaves
from quantmesh.blockchain.core.advance_anchoring import Anchoring, Policy
from quantmesh.blockchain.core.get_inclusion_proof import get_inclusion_proof
from quantmesh.blockchain.core.merkle import leaf_of
from quantmesh.blockchain.core.model import AnchorStatus, Leaf, Network
from quantmesh.blockchain.core.verify_proof import Refuted, verify_proof
from quantmesh.chassis.clock import SystemClock
from quantmesh.chassis.database import Database
from quantmesh.chassis.sql import text
from quantmesh.local.testing import NewDatabase, RunningServer

OWNER = uuid4()
# Longer than a crowded machine ever takes: only what never comes uses it up.
PATIENCE_SECONDS = 60.0


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.1)


def payload_of(transaction_id: UUID) -> dict[str, Any]:
    return {"transaction_id": str(transaction_id), "amount": "100000", "salt": "0x" + "5a" * 32}


@dataclass
class Anchorage:
    """The parts of the service, wired as in its __main__, on a network with a confirmation at a depth of two."""

    node: RunningServer
    database: Database
    chain: EvmChain
    signer: LocalSigner
    store: Store
    loop: AnchoringLoop
    anchoring: Anchoring

    async def rpc(self, method: str, *parameters: object) -> Any:
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
            answer = (await client.post(self.node.url, json=request)).json()
        assert "error" not in answer, answer
        return answer["result"]

    async def mine(self, count: int = 1) -> None:
        await self.rpc("anvil_mine", count)

    async def record(self, owner_id: UUID = OWNER) -> UUID:
        """A transaction of the ledger, whose leaf arrives as by its event."""
        transaction_id = uuid4()
        leaf = leaf_of(canonical(payload_of(transaction_id)), keccak256)
        async with self.database.system_transaction() as session:
            await add_leaves(session, [Leaf(transaction_id, owner_id, leaf, datetime.now(UTC))])
        return transaction_id

    async def status(self, transaction_id: UUID, owner_id: UUID = OWNER) -> AnchorStatus | None:
        inclusion = await self.store.inclusion_of(owner_id, transaction_id)
        return None if inclusion is None or inclusion.anchor is None else inclusion.anchor.status

    async def turn_until_confirmed(self, *transaction_ids: UUID) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while {await self.status(each) for each in transaction_ids} != {AnchorStatus.CONFIRMED}:
                await self.loop.turn()
                await self.mine()

    async def proof(self, transaction_id: UUID) -> dict[str, Any]:
        """As the gateway puts it together."""
        proof = await get_inclusion_proof(OWNER, transaction_id, self.store, 1.0)
        return {
            "leaf": f"0x{proof.leaf.hex()}",
            "payload": payload_of(transaction_id),
            "path": [f"0x{sibling.hex()}" for sibling in proof.path],
            "root": f"0x{proof.root.hex()}",
            "anchor": {
                "network": self.anchoring.network.name,
                "chain_id": self.anchoring.network.chain_id,
                "contract": proof.place.contract,
                "transaction_hash": f"0x{proof.place.transaction_hash.hex()}",
                "block_number": proof.place.block_number,
            },
        }

    async def verdict(self, proof: dict[str, Any]) -> str | None:
        """Why the proof does not hold; None where it does."""
        try:
            await verify_proof(read_proof(json.dumps(proof)), self.chain, self.anchoring.network, canonical, keccak256)
        except Refuted as refutation:
            return str(refutation)
        return None

    async def submissions(self) -> list[tuple[str, str | None]]:
        """Purpose and outcome, in order."""
        async with self.database.system_transaction() as session:
            rows = await session.execute(text("SELECT purpose, outcome FROM submission ORDER BY id"))
            return [(row.purpose.split()[0], row.outcome) for row in rows]

    async def has_sent(self) -> bool:
        """Whether a transaction is under way, or was."""
        return bool(await self.submissions())

    async def events(self) -> list[UUID]:
        """The anchors that were told of, once per confirmation."""
        async with self.database.system_transaction() as session:
            return list(await session.scalars(text("SELECT aggregate_id FROM outbox ORDER BY position")))

    def with_policy(self, **changes: Any) -> AnchoringLoop:
        anchoring = replace(self.anchoring, policy=replace(self.anchoring.policy, **changes))
        return AnchoringLoop(anchoring, self.store, SystemClock(), poll_seconds=0.1)


@pytest.fixture
async def anchorage(evm_node: RunningServer, service_database: NewDatabase) -> AsyncIterator[Anchorage]:
    async with open_anchorage(evm_node, service_database("blockchain").url) as opened:
        yield opened


@asynccontextmanager
async def open_anchorage(node: RunningServer, database_url: str) -> AsyncIterator[Anchorage]:
    database = Database(database_url, "blockchain", pool_size=4, pool_timeout_seconds=PATIENCE_SECONDS)
    artifact = load_artifact()
    signer = signer_for(LOCAL_CHAIN_ID, "")
    contract = deployed_by_us(artifact, signer.address)
    network = Network("local", LOCAL_CHAIN_ID, confirmations=2, contract=contract.address, public_rpc_url="")
    chain = EvmChain("local", LOCAL_CHAIN_ID, node.url, artifact, timeout_seconds=PATIENCE_SECONDS)
    policy = Policy(
        max_leaves=100,
        batch_after=timedelta(),
        replace_after=timedelta(seconds=60),
        fee_ceiling_wei=10**12,
    )
    anchoring = Anchoring(network, chain, contract, signer, policy, keccak256)
    store = Store(database, network, signer.address)
    loop = AnchoringLoop(anchoring, store, SystemClock(), poll_seconds=0.1)
    anchorage = Anchorage(node, database, chain, signer, store, loop, anchoring)
    await anchorage.rpc("anvil_setIntervalMining", 0)
    yield anchorage
    await chain.close()
    await database.close()
