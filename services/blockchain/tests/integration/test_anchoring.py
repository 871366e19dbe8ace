"""From a leaf to a proof that holds, on a chain that reorganises, forgets and dies."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from quantmesh.blockchain.core.errors import (
    BroadcastRefused,
    NodeUnavailable,
    NotYetAnchored,
    ProofNotFound,
)
from quantmesh.blockchain.core.fees import Fees
from quantmesh.blockchain.core.model import AnchorStatus, Call
from quantmesh.local.servers import PostgresServer
from quantmesh.local.testing import RunningServer
from quantmesh.local.testing.databases import cloned_database

from .conftest import OWNER, Anchorage, open_anchorage, until


async def test_a_leaf_becomes_a_proof_that_holds(anchorage: Anchorage) -> None:
    transactions = [await anchorage.record() for _ in range(5)]
    with pytest.raises(NotYetAnchored):
        await anchorage.proof(transactions[0])

    await anchorage.turn_until_confirmed(*transactions)

    proofs = [await anchorage.proof(each) for each in transactions]
    assert [await anchorage.verdict(proof) for proof in proofs] == [None] * 5
    assert len({proof["root"] for proof in proofs}) == 1
    assert await anchorage.submissions() == [("deploy", "mined"), ("anchor", "mined")]
    assert len(await anchorage.events()) == 1


async def test_the_age_of_what_is_in_no_block_grows_until_its_root_is_in_one(anchorage: Anchorage) -> None:
    assert await anchorage.store.unanchored_seconds() == 0.0
    transaction = await anchorage.record()
    young = await anchorage.store.unanchored_seconds()
    assert young > 0.0
    assert await anchorage.store.unanchored_seconds() > young

    # Batched, and its root pending: still in no block.
    await anchorage.loop.turn()
    assert await anchorage.store.unanchored_seconds() > 0.0

    await anchorage.turn_until_confirmed(transaction)
    assert await anchorage.store.unanchored_seconds() == 0.0


async def test_a_fault_that_ends_a_turn_is_counted_and_what_waits_is_measured_all_the_same(
    anchorage: Anchorage,
) -> None:
    def failures() -> float:
        return REGISTRY.get_sample_value("quantmesh_blockchain_anchoring_failures_total") or 0.0

    def waits() -> float:
        return REGISTRY.get_sample_value("quantmesh_blockchain_unanchored_seconds") or 0.0

    before = failures()
    anchorage.node.kill()
    await anchorage.record()
    running = asyncio.create_task(anchorage.loop.run())

    async def both_show() -> bool:
        return failures() > before and waits() > 0.0

    await until(both_show)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_proof_is_judged_by_the_node_alone(anchorage: Anchorage) -> None:
    transaction = await anchorage.record()
    await anchorage.turn_until_confirmed(transaction)
    proof = await anchorage.proof(transaction)

    altered = {**proof, "payload": {**proof["payload"], "amount": "100001"}}
    assert "The payload hashes to the leaf" in (await anchorage.verdict(altered) or "")
    elsewhere = {**proof, "anchor": {**proof["anchor"], "block_number": proof["anchor"]["block_number"] + 1}}
    assert "is anchored in block" in (await anchorage.verdict(elsewhere) or "")
    unrelated = {**proof, "anchor": {**proof["anchor"], "transaction_hash": "0x" + "11" * 32}}
    assert "did not anchor this root" in (await anchorage.verdict(unrelated) or "")
    await anchorage.database.close()
    assert await anchorage.verdict(proof) is None


async def test_another_owners_transaction_does_not_exist(anchorage: Anchorage) -> None:
    transaction = await anchorage.record(owner_id=uuid4())
    await anchorage.loop.turn()

    with pytest.raises(ProofNotFound):
        await anchorage.proof(transaction)


async def test_a_leaf_without_a_confirmed_anchor_is_too_early(anchorage: Anchorage) -> None:
    await anchorage.turn_until_confirmed(await anchorage.record())
    transaction = await anchorage.record()
    await anchorage.loop.turn()
    await anchorage.mine()
    await anchorage.loop.turn()
    if await anchorage.status(transaction) is not AnchorStatus.CONFIRMED:
        with pytest.raises(NotYetAnchored) as caught:
            await anchorage.proof(transaction)
        assert caught.value.retry_after_seconds == 1.0
    await anchorage.turn_until_confirmed(transaction)
    assert await anchorage.verdict(await anchorage.proof(transaction)) is None


async def test_a_reorganisation_of_depth_three_takes_the_anchor_back_and_it_is_anchored_again(
    anchorage: Anchorage,
) -> None:
    transaction = await anchorage.record()
    await anchorage.turn_until_confirmed(transaction)
    stale = await anchorage.proof(transaction)
    head = await anchorage.chain.head()
    assert head.number - stale["anchor"]["block_number"] < 3
    await anchorage.rpc("anvil_reorg", 3, [])

    assert "is not anchored" in (await anchorage.verdict(stale) or "")
    await anchorage.loop.turn()
    assert await anchorage.status(transaction) is not AnchorStatus.CONFIRMED

    await anchorage.turn_until_confirmed(transaction)
    assert await anchorage.verdict(await anchorage.proof(transaction)) is None
    assert await anchorage.verdict(stale) is not None
    events = await anchorage.events()
    assert (len(events), len(set(events))) == (2, 1)


async def test_a_chain_that_lost_the_contract_gets_it_back_at_the_same_address(anchorage: Anchorage) -> None:
    snapshot = await anchorage.rpc("evm_snapshot")
    transaction = await anchorage.record()
    await anchorage.turn_until_confirmed(transaction)
    await anchorage.rpc("evm_revert", snapshot)
    assert not await anchorage.chain.has_code(anchorage.anchoring.contract.address)
    await anchorage.mine(10)

    await anchorage.loop.turn()
    await anchorage.turn_until_confirmed(transaction)

    assert await anchorage.verdict(await anchorage.proof(transaction)) is None
    assert [purpose for purpose, _ in await anchorage.submissions()].count("deploy") == 2


async def test_a_nonce_clash_costs_one_more_try(anchorage: Anchorage) -> None:
    await anchorage.turn_until_confirmed(await anchorage.record())
    transaction = await anchorage.record()
    nonce = await anchorage.chain.next_nonce(anchorage.signer.address)
    stranger = anchorage.signer.sign(
        Call(anchorage.signer.address, b""), nonce, 21_000, Fees(10**11, 10**11), datetime.now(UTC)
    )
    await anchorage.chain.broadcast(stranger.raw)
    # By then ours is written down, with the nonce that the stranger will get.
    with pytest.raises(BroadcastRefused, match="underpriced"):
        await anchorage.loop.turn()
    await anchorage.mine()

    await anchorage.turn_until_confirmed(transaction)

    assert ("anchor", "superseded") in await anchorage.submissions()
    assert await anchorage.verdict(await anchorage.proof(transaction)) is None


async def test_a_stuck_transaction_is_replaced(anchorage: Anchorage) -> None:
    await anchorage.turn_until_confirmed(await anchorage.record())
    transaction = await anchorage.record()
    await anchorage.loop.turn()
    await anchorage.rpc("anvil_setNextBlockBaseFeePerGas", hex(8 * 10**9))
    await anchorage.mine()
    assert await anchorage.status(transaction) is AnchorStatus.PENDING

    await anchorage.with_policy(replace_after=timedelta()).turn()
    await anchorage.turn_until_confirmed(transaction)

    assert (await anchorage.submissions())[-1] == ("anchor", "mined")
    assert await anchorage.verdict(await anchorage.proof(transaction)) is None


async def test_only_one_process_has_the_turn(anchorage: Anchorage) -> None:
    async with anchorage.store.turn() as mine, anchorage.store.turn() as other:
        assert mine is not None
        assert other is None
    async with anchorage.store.turn() as next_one:
        assert next_one is not None


async def test_many_senders_at_once_anchor_each_root_once(anchorage: Anchorage) -> None:
    transactions = [await anchorage.record() for _ in range(10)]
    for _ in range(8):
        await asyncio.gather(*(anchorage.loop.turn() for _ in range(3)))
        await anchorage.mine()

    assert {await anchorage.status(each) for each in transactions} == {AnchorStatus.CONFIRMED}
    assert await anchorage.submissions() == [("deploy", "mined"), ("anchor", "mined")]


async def test_the_node_killed_and_back_loses_no_leaf(anchorage: Anchorage) -> None:
    transaction = await anchorage.record()
    running = asyncio.create_task(anchorage.loop.run())
    await until(anchorage.has_sent)

    anchorage.node.kill()
    with pytest.raises(NodeUnavailable):
        await anchorage.chain.head()
    later = await anchorage.record()
    anchorage.node.start_again()

    async def both_confirmed() -> bool:
        statuses = {await anchorage.status(each, OWNER) for each in (transaction, later)}
        return statuses == {AnchorStatus.CONFIRMED}

    await until(both_confirmed)
    assert await anchorage.verdict(await anchorage.proof(transaction)) is None
    assert await anchorage.verdict(await anchorage.proof(later)) is None
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_the_database_killed_and_back_loses_no_leaf(
    evm_node: RunningServer, own_postgres: RunningServer, own_postgres_server: PostgresServer
) -> None:
    with cloned_database(own_postgres_server, "blockchain") as database:
        async with open_anchorage(evm_node, database.url) as anchorage:
            await anchorage.rpc("anvil_setIntervalMining", 1)
            transaction = await anchorage.record()
            running = asyncio.create_task(anchorage.loop.run())
            await until(anchorage.has_sent)

            own_postgres.kill()
            await asyncio.sleep(0.5)
            own_postgres.start_again()

            async def confirmed() -> bool:
                return await anchorage.status(transaction) is AnchorStatus.CONFIRMED

            await until(confirmed)
            assert await anchorage.verdict(await anchorage.proof(transaction)) is None
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
