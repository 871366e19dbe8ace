"""The adapter of a node: what it reads, and what it makes of a node that fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest

from quantmesh.blockchain.adapters.chain import EvmChain
from quantmesh.blockchain.adapters.merkle_anchor import FACTORY, load_artifact
from quantmesh.blockchain.adapters.signer import LOCAL_CHAIN_ID, signer_for
from quantmesh.blockchain.core.errors import (
    BroadcastRefused,
    CallRefused,
    ChainTransactionNotFound,
    NodeUnavailable,
)
from quantmesh.blockchain.core.fees import Fees
from quantmesh.blockchain.core.get_chain_transaction import get_chain_transaction
from quantmesh.blockchain.core.model import Call, ChainStatus
from quantmesh.local.network import free_port
from quantmesh.local.testing import RunningServer

from .conftest import PATIENCE_SECONDS, Anchorage

ANYONE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
SIGNER = signer_for(LOCAL_CHAIN_ID, "")
FEES = Fees(10**10, 10**9)
RAW = SIGNER.sign(Call(ANYONE, b""), 0, 21_000, FEES, datetime(2026, 1, 2, tzinfo=UTC)).raw
QUESTIONS: dict[str, Callable[[EvmChain], Awaitable[object]]] = {
    "head": lambda chain: chain.head(),
    "block_hash": lambda chain: chain.block_hash(0),
    "has_code": lambda chain: chain.has_code(ANYONE),
    "anchored_at": lambda chain: chain.anchored_at(ANYONE, bytes(32)),
    "place_of": lambda chain: chain.place_of(ANYONE, bytes(32)),
    "receipt": lambda chain: chain.receipt(bytes(32)),
    "transaction": lambda chain: chain.transaction(bytes(32)),
    "knows": lambda chain: chain.knows(bytes(32)),
    "next_nonce": lambda chain: chain.next_nonce(ANYONE),
    "suggested_priority_fee": lambda chain: chain.suggested_priority_fee(),
    "estimate_gas": lambda chain: chain.estimate_gas(ANYONE, Call(ANYONE, b""), FEES),
    "broadcast": lambda chain: chain.broadcast(RAW),
}


def test_every_question_of_the_port_is_asked() -> None:
    asked = {name for name in vars(EvmChain) if not name.startswith("_")} - {"close"}

    assert set(QUESTIONS) == asked


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[EvmChain]:
    """A node that answers every request with the same bytes, or hangs."""

    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        if answer is None:
            await over.wait()
        else:
            writer.write(answer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    chain = EvmChain("local", LOCAL_CHAIN_ID, f"http://127.0.0.1:{port}", load_artifact(), timeout_seconds=0.3)
    try:
        yield chain
    finally:
        over.set()
        await chain.close()
        server.close()
        # Also those of connections that the client had given up before they were accepted.
        while serving := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(serving)


def http(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(None, id="silent"),
        pytest.param(b"", id="hangs up"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", id="no HTTP"),
        pytest.param(http("503 Service Unavailable", b"{}"), id="503"),
        pytest.param(http("200 OK", b"<html>"), id="no JSON"),
        pytest.param(http("200 OK", b"[]"), id="no object"),
        pytest.param(http("200 OK", b'{"jsonrpc": "2.0", "id": 0}'), id="no result"),
        pytest.param(http("200 OK", b'{"error": "quota exceeded"}'), id="an error of its own kind"),
        pytest.param(http("200 OK", b'{"jsonrpc": "2.0", "id": 0, "result": [1]}'), id="a list where none belongs"),
    ],
)
async def test_a_node_that_fails_is_unavailable_whatever_is_asked(question: str, answer: bytes | None) -> None:
    async with answering(answer) as chain:
        with pytest.raises(NodeUnavailable, match="node of the network local cannot answer"):
            await QUESTIONS[question](chain)


async def test_a_node_that_is_away_is_unavailable() -> None:
    chain = EvmChain("local", LOCAL_CHAIN_ID, f"http://127.0.0.1:{free_port()}", load_artifact())

    with pytest.raises(NodeUnavailable) as caught:
        await chain.head()

    assert caught.value.retry_after_seconds
    await chain.close()


async def test_a_node_of_another_chain_is_unavailable(evm_node: RunningServer) -> None:
    chain = EvmChain("mainnet", 1, evm_node.url, load_artifact(), timeout_seconds=PATIENCE_SECONDS)

    with pytest.raises(NodeUnavailable, match="of the chain 31337, not 1"):
        await chain.head()

    await chain.close()


async def test_a_transaction_goes_from_pending_to_confirmed(anchorage: Anchorage) -> None:
    chain, network = anchorage.chain, anchorage.anchoring.network
    attempt = SIGNER.sign(Call(ANYONE, b""), 0, 21_000, Fees(10**11, 10**9), datetime.now(UTC))
    with pytest.raises(ChainTransactionNotFound):
        await get_chain_transaction(attempt.hash, chain, network)
    assert await chain.receipt(attempt.hash) is None

    await chain.broadcast(attempt.raw)
    await chain.broadcast(attempt.raw)
    _, status, confirmations = await get_chain_transaction(attempt.hash, chain, network)
    assert (status, confirmations) == (ChainStatus.PENDING, 0)

    await anchorage.mine()
    transaction, status, confirmations = await get_chain_transaction(attempt.hash, chain, network)
    assert (status, confirmations) == (ChainStatus.INCLUDED, 1)
    assert (transaction.sender, transaction.recipient) == (SIGNER.address, ANYONE)
    assert transaction.receipt is not None
    assert transaction.receipt.gas_used == 21_000
    assert transaction.block_time is not None

    await anchorage.mine()
    _, status, confirmations = await get_chain_transaction(attempt.hash, chain, network)
    assert (status, confirmations) == (ChainStatus.CONFIRMED, 2)
    with pytest.raises(BroadcastRefused, match="nonce too low"):
        await chain.broadcast(SIGNER.sign(Call(ANYONE, b"\x01"), 0, 30_000, Fees(10**11, 10**9), datetime.now(UTC)).raw)


async def test_a_reverted_transaction_is_failed(anchorage: Anchorage) -> None:
    chain, network = anchorage.chain, anchorage.anchoring.network
    attempt = SIGNER.sign(Call(FACTORY, b"\x00" * 32 + b"\xfe"), 0, 100_000, Fees(10**11, 10**9), datetime.now(UTC))
    await chain.broadcast(attempt.raw)
    await anchorage.mine()

    _, status, _ = await get_chain_transaction(attempt.hash, chain, network)

    assert status is ChainStatus.FAILED


async def test_a_call_by_a_stranger_is_refused_by_the_contracts_own_error(anchorage: Anchorage) -> None:
    await anchorage.turn_until_confirmed(await anchorage.record())

    with pytest.raises(CallRefused, match="AccessControlUnauthorizedAccount"):
        await anchorage.chain.estimate_gas(ANYONE, anchorage.anchoring.contract.anchor(b"\x01" * 32), FEES)


async def test_blocks_and_roots_that_are_not_there_are_none(anchorage: Anchorage) -> None:
    contract = anchorage.anchoring.contract.address

    assert await anchorage.chain.block_hash(10**6) is None
    assert not await anchorage.chain.has_code(contract)
    assert await anchorage.chain.anchored_at(contract, b"\x01" * 32) == 0
    assert await anchorage.chain.place_of(contract, b"\x01" * 32) is None
