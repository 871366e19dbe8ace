"""What a turn of anchoring remembers and tells, whatever the clock and the node do."""

from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from quantmesh.blockchain.adapters.anchoring_loop import AnchoringLoop
from quantmesh.blockchain.adapters.chain import EvmChain
from quantmesh.blockchain.adapters.merkle_anchor import load_artifact
from quantmesh.blockchain.adapters.signer import LOCAL_CHAIN_ID
from quantmesh.blockchain.core.errors import NodeUnavailable
from quantmesh.blockchain.core.fees import Fees
from quantmesh.chassis.clock import SystemClock

from .conftest import PATIENCE_SECONDS, Anchorage


async def test_attempts_come_in_the_order_in_which_they_were_made_whatever_the_clock_said(anchorage: Anchorage) -> None:
    await anchorage.turn_until_confirmed(await anchorage.record())
    await anchorage.record()
    await anchorage.loop.turn()
    async with anchorage.store.turn() as turn:
        assert turn is not None
        submission = await turn.open_submission()
        assert submission is not None
        (sent,) = submission.attempts
        dearer = Fees(2 * sent.fees.max_fee_per_gas, 2 * sent.fees.max_priority_fee_per_gas)
        earlier = sent.sent_at - timedelta(hours=1)
        later_attempt = anchorage.signer.sign(submission.call, submission.nonce, submission.gas_limit, dearer, earlier)
        await turn.add_attempt(submission.id, later_attempt)
        again = await turn.open_submission()
    assert again is not None
    assert [attempt.hash for attempt in again.attempts] == [sent.hash, later_attempt.hash]


async def test_what_a_turn_found_is_counted_also_where_the_node_takes_nothing(anchorage: Anchorage) -> None:
    def withdrawn() -> float:
        return REGISTRY.get_sample_value("quantmesh_blockchain_anchors_total", {"outcome": "withdrawn"}) or 0.0

    class Deaf(EvmChain):
        async def broadcast(self, raw: bytes) -> None:
            raise NodeUnavailable("local", "it is silent")

    await anchorage.turn_until_confirmed(await anchorage.record())
    before = withdrawn()
    await anchorage.rpc("anvil_reorg", 3, [])
    deaf = Deaf("local", LOCAL_CHAIN_ID, anchorage.node.url, load_artifact(), timeout_seconds=PATIENCE_SECONDS)
    with pytest.raises(NodeUnavailable):
        await AnchoringLoop(replace(anchorage.anchoring, chain=deaf), anchorage.store, SystemClock(), 0.1).turn()
    await deaf.close()

    assert withdrawn() == before + 1
