"""What a contract, an account or a key cannot do: nothing is sent and nothing is lost, and it goes on after it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from quantmesh.blockchain.adapters.anchoring_loop import AnchoringLoop
from quantmesh.blockchain.adapters.merkle_anchor import deployed_by_others, deployed_by_us, load_artifact
from quantmesh.blockchain.adapters.signer import LOCAL_CHAIN_ID, signer_for
from quantmesh.blockchain.adapters.store import Store
from quantmesh.blockchain.core.errors import CallRefused
from quantmesh.blockchain.core.model import AnchorStatus
from quantmesh.chassis.clock import SystemClock

from .conftest import Anchorage

# The second of those that every development node funds.
ANOTHER_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"


async def test_a_paused_contract_is_named_and_anchoring_goes_on_after_it(anchorage: Anchorage) -> None:
    before = await anchorage.record()
    while await anchorage.status(before) is not AnchorStatus.PLACED:
        await anchorage.loop.turn()
        await anchorage.mine()
    await _call_contract(anchorage, "0x8456cb59")  # pause()
    transaction = await anchorage.record()

    for _ in range(2):
        with pytest.raises(CallRefused, match="EnforcedPause"):
            await anchorage.loop.turn()
    assert await anchorage.status(before) is AnchorStatus.CONFIRMED, "what is on chain grows deeper all the same"

    await _call_contract(anchorage, "0x3f4ba83a")  # unpause()
    await anchorage.turn_until_confirmed(transaction)


async def test_nothing_is_sent_to_an_address_where_nothing_is_deployed(anchorage: Anchorage) -> None:
    elsewhere = deployed_by_others("0x" + "ab" * 20)
    anchoring = replace(anchorage.anchoring, contract=elsewhere)
    loop = AnchoringLoop(anchoring, anchorage.store, SystemClock(), poll_seconds=0.1)
    transaction = await anchorage.record()

    for _ in range(3):
        with pytest.raises(CallRefused, match="nothing is deployed there"):
            await loop.turn()
        await anchorage.mine()

    assert await anchorage.submissions() == []
    await anchorage.turn_until_confirmed(transaction)


async def test_nothing_is_sent_from_an_empty_account(anchorage: Anchorage) -> None:
    await anchorage.turn_until_confirmed(await anchorage.record())
    await anchorage.rpc("anvil_setBalance", anchorage.signer.address, "0x0")
    transaction = await anchorage.record()

    for _ in range(3):
        with pytest.raises(CallRefused):
            await anchorage.with_policy(replace_after=timedelta()).turn()
        await anchorage.mine()

    assert [outcome for _, outcome in await anchorage.submissions()] == ["mined", "mined"]
    await anchorage.rpc("anvil_setBalance", anchorage.signer.address, hex(10**18))
    await anchorage.turn_until_confirmed(transaction)


async def test_another_key_goes_on_with_a_contract_of_its_own_and_earlier_proofs_hold(anchorage: Anchorage) -> None:
    earlier = await anchorage.record()
    await anchorage.turn_until_confirmed(earlier)
    under_way = await anchorage.record()
    await anchorage.loop.turn()

    former = anchorage.anchoring.contract.address
    anchorage.signer = signer_for(LOCAL_CHAIN_ID, ANOTHER_KEY)
    contract = deployed_by_us(load_artifact(), anchorage.signer.address)
    network = replace(anchorage.anchoring.network, contract=contract.address, former_contracts=frozenset({former}))
    anchorage.anchoring = replace(anchorage.anchoring, network=network, contract=contract, signer=anchorage.signer)
    anchorage.store = Store(anchorage.database, network, anchorage.signer.address)
    anchorage.loop = anchorage.with_policy()
    await anchorage.turn_until_confirmed(under_way)

    proofs = [await anchorage.proof(each) for each in (earlier, under_way)]
    assert [proof["anchor"]["contract"] for proof in proofs] == [former, contract.address]
    assert [await anchorage.verdict(proof) for proof in proofs] == [None, None]


async def _call_contract(anchorage: Anchorage, data: str) -> None:
    await anchorage.rpc(
        "eth_sendTransaction",
        {"from": anchorage.signer.address, "to": anchorage.anchoring.contract.address, "data": data},
    )
    await anchorage.mine()
