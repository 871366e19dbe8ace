"""The service as it runs: events in, proofs out, over a real broker, database, chain and channel."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from quantmesh.api.blockchain.v1 import blockchain_pb2 as api
from quantmesh.api.blockchain.v1.blockchain_pb2_grpc import BlockchainServiceStub
from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.api.portfolio.v1.events_pb2 import TransactionRecorded
from quantmesh.api.portfolio.v1.portfolio_pb2 import Transaction
from quantmesh.blockchain.__main__ import BlockchainSettings, wire
from quantmesh.blockchain.adapters.hashing import canonical, keccak256
from quantmesh.blockchain.core.merkle import leaf_of
from quantmesh.chassis.context import CallContext, Caller, set_call
from quantmesh.chassis.errors import InvalidInput, NotFound, PermissionDenied, QuantmeshError, TooEarly, Unavailable
from quantmesh.chassis.events import EventBus
from quantmesh.chassis.events.streams import ensure_stream
from quantmesh.chassis.identity import AUDIENCE, ISSUER, TOKEN_TYPE, TokenVerifier
from quantmesh.chassis.outbox import partition_of
from quantmesh.chassis.rpc import Peer, open_channel
from quantmesh.chassis.service import Service
from quantmesh.chassis.times import to_timestamp
from quantmesh.local.network import free_port
from quantmesh.local.testing import NewDatabase, RunningServer

from .conftest import PATIENCE_SECONDS, payload_of, until

KEY = Ed25519PrivateKey.generate()


class OneKey:
    async def key(self, kid: str) -> Ed25519PublicKey | None:
        return KEY.public_key()


def act_as(owner_id: UUID, scope: str = "blockchain:read") -> None:
    now = int(time.time())
    claims = {"sub": str(owner_id), "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 300, "scope": scope}
    token = jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": "k", "typ": TOKEN_TYPE})
    set_call(CallContext(caller=Caller("", frozenset(), frozenset(), "", "", token, 0.0, None)))


class Mesh:
    """What surrounds the service: a portfolio that records, and callers that ask."""

    def __init__(self, bus: EventBus, peer: Peer, node: RunningServer, nats: RunningServer) -> None:
        self.bus = bus
        self.peer = peer
        self.stub = BlockchainServiceStub(peer.channel)
        self.node = node
        self.nats = nats

    async def record(self, owner_id: UUID) -> UUID:
        transaction_id = uuid4()
        leaf = leaf_of(canonical(payload_of(transaction_id)), keccak256)
        recorded = TransactionRecorded(transaction=Transaction(id=str(transaction_id)), leaf=leaf)
        await self.publish(owner_id, recorded, str(transaction_id))
        return transaction_id

    async def publish(self, owner_id: UUID, recorded: TransactionRecorded, aggregate_id: str) -> None:
        now = to_timestamp(datetime.now(UTC))
        envelope = EventEnvelope(
            event_id=str(uuid4()),
            aggregate_id=aggregate_id,
            aggregate_version=1,
            owner_id=str(owner_id),
            occurred_at=now,
            recorded_at=now,
            schema_version=1,
            type=recorded.DESCRIPTOR.full_name,
            payload=recorded.SerializeToString(),
        )
        jetstream = self.bus.client.jetstream(timeout=PATIENCE_SECONDS)
        await ensure_stream(jetstream, "portfolio")
        await jetstream.publish(
            f"qm.portfolio.transaction.recorded.{partition_of(aggregate_id)}", envelope.SerializeToString()
        )

    async def proof(self, transaction_id: UUID) -> api.GetInclusionProofResponse:
        return await self.peer.call(
            self.stub.GetInclusionProof, api.GetInclusionProofRequest(transaction_id=str(transaction_id))
        )

    async def proof_in_time(self, transaction_id: UUID) -> api.GetInclusionProofResponse:
        answers = []

        async def there() -> bool:
            try:
                answers.append(await self.proof(transaction_id))
            except (NotFound, TooEarly, Unavailable):
                return False
            return True

        await until(there)
        return answers[0]

    async def verify(self, document: object) -> api.VerifyProofResponse:
        return await self.peer.call(self.stub.VerifyProof, api.VerifyProofRequest(proof_json=json.dumps(document)))


@pytest.fixture
async def mesh(
    evm_node: RunningServer, nats_server: RunningServer, service_database: NewDatabase
) -> AsyncIterator[Mesh]:
    settings = BlockchainSettings.model_validate(
        {
            "database_url": service_database("blockchain").url,
            "nats_url": nats_server.url,
            "evm_url": evm_node.url,
            "grpc_bind": f"127.0.0.1:{free_port()}",
            "blockchain_batch_seconds": 0.2,
            "blockchain_poll_seconds": 0.1,
            "blockchain_node_timeout_seconds": PATIENCE_SECONDS,
        }
    )
    service = Service("blockchain", settings)
    service.use_verifier(TokenVerifier(OneKey()))
    await wire(service)
    running = asyncio.create_task(service.run())
    bus = EventBus(nats_server.url, "portfolio")
    await bus.connect(patience_seconds=PATIENCE_SECONDS)
    peer = Peer("blockchain", open_channel(settings.grpc_bind, []), timeout_seconds=PATIENCE_SECONDS)
    try:
        await asyncio.wait_for(peer.channel.channel_ready(), PATIENCE_SECONDS)
        yield Mesh(bus, peer, evm_node, nats_server)
    finally:
        await peer.close()
        await bus.close()
        service.stop()
        assert await running


async def test_an_event_becomes_a_proof_that_verifies_for_its_owner_alone(mesh: Mesh) -> None:
    owner, stranger = uuid4(), uuid4()
    transaction_id = await mesh.record(owner)
    act_as(owner)
    proof = await mesh.proof_in_time(transaction_id)
    document = {
        "leaf": f"0x{proof.leaf.hex()}",
        "payload": payload_of(transaction_id),
        "path": [f"0x{sibling.hex()}" for sibling in proof.path],
        "root": f"0x{proof.root.hex()}",
        "anchor": {
            "network": proof.anchor.network,
            "chain_id": proof.anchor.chain_id,
            "rpc_url": proof.anchor.rpc_url,
            "contract": proof.anchor.contract,
            "transaction_hash": proof.anchor.transaction_hash,
            "block_number": proof.anchor.block_number,
        },
    }

    assert (await mesh.verify(document)).valid
    refuted = await mesh.verify({**document, "payload": {**payload_of(transaction_id), "amount": "1"}})
    assert not refuted.valid
    assert "The payload hashes to the leaf" in refuted.reason

    act_as(stranger)
    with pytest.raises(NotFound):
        await mesh.proof(transaction_id)


async def test_networks_and_transactions_are_told_from_the_node(mesh: Mesh) -> None:
    owner = uuid4()
    transaction_id = await mesh.record(owner)
    act_as(owner)
    proof = await mesh.proof_in_time(transaction_id)

    (network,) = (await mesh.peer.call(mesh.stub.ListNetworks, api.ListNetworksRequest())).networks
    assert (network.chain_id, network.available, network.contract) == (31337, True, proof.anchor.contract)
    assert network.block_number >= proof.anchor.block_number
    request = api.GetChainTransactionRequest(hash=proof.anchor.transaction_hash)
    transaction = await mesh.peer.call(mesh.stub.GetChainTransaction, request)
    assert transaction.block_number == proof.anchor.block_number
    assert transaction.status == "confirmed"
    assert transaction.to_address == proof.anchor.contract

    mesh.node.kill()
    (network,) = (await mesh.peer.call(mesh.stub.ListNetworks, api.ListNetworksRequest())).networks
    assert not network.available
    with pytest.raises(Unavailable):
        await mesh.peer.call(mesh.stub.GetChainTransaction, request)
    assert await mesh.proof(transaction_id) == proof


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda mesh: mesh.proof("nonsense"), InvalidInput),
        (lambda mesh: mesh.proof(""), InvalidInput),
        (lambda mesh: mesh.proof(uuid4()), NotFound),
        (lambda mesh: mesh.peer.call(mesh.stub.GetChainTransaction, api.GetChainTransactionRequest()), InvalidInput),
        (
            lambda mesh: mesh.peer.call(
                mesh.stub.GetChainTransaction, api.GetChainTransactionRequest(hash="0x" + "ab" * 32)
            ),
            NotFound,
        ),
    ],
)
async def test_bad_input_is_said_to_be_so(mesh: Mesh, call: object, error: type[QuantmeshError]) -> None:
    act_as(uuid4())

    with pytest.raises(error):
        await call(mesh)  # type: ignore[operator]  # parametrised lambdas

    act_as(uuid4(), scope="market:read")
    with pytest.raises(PermissionDenied):
        await call(mesh)  # type: ignore[operator]  # parametrised lambdas


@pytest.mark.parametrize("document", [[], None, {}, {"leaf": 1}, "0x", {"a" * 10_000: 1}])
async def test_what_is_no_proof_is_not_valid(mesh: Mesh, document: object) -> None:
    act_as(uuid4())

    verdict = await mesh.verify(document)

    assert not verdict.valid
    assert verdict.reason.startswith("This is not a proof")


async def test_what_is_no_leaf_becomes_a_dead_letter_and_stops_nobody(mesh: Mesh) -> None:
    owner = uuid4()
    bad = TransactionRecorded(transaction=Transaction(id=str(uuid4())), leaf=b"short")
    await mesh.publish(owner, bad, "bad")
    transaction_id = await mesh.record(owner)

    act_as(owner)
    assert (await mesh.proof_in_time(transaction_id)).leaf


async def test_broker_and_node_killed_and_back(mesh: Mesh) -> None:
    owner = uuid4()
    before = await mesh.record(owner)
    mesh.nats.kill()
    mesh.node.kill()

    async def is_noticed() -> bool:
        return not mesh.bus.is_connected

    await until(is_noticed)
    mesh.nats.start_again()
    mesh.node.start_again()
    await until(lambda: mesh.bus.wait_connected(1.0))
    after = await mesh.record(owner)

    act_as(owner)
    assert (await mesh.proof_in_time(before)).leaf
    assert (await mesh.proof_in_time(after)).leaf


async def test_the_role_of_requests_cannot_write_leaves(service_database: NewDatabase) -> None:
    database = service_database("blockchain")
    with psycopg.connect(database.url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("INSERT INTO blockchain.leaf VALUES (uuidv7(), uuidv7(), '', now(), NULL, NULL)")
