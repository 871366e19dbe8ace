"""What anchoring does in a turn, whatever happens to the chain between turns."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from quantmesh.blockchain.adapters.hashing import keccak256
from quantmesh.blockchain.core.advance_anchoring import Advance, Anchoring, Policy, advance_anchoring
from quantmesh.blockchain.core.errors import NodeUnavailable
from quantmesh.blockchain.core.merkle import fold
from quantmesh.blockchain.core.model import AnchorStatus, Network, Outcome

from .fakes import CONTRACT, FakeChain, FakeContract, FakeSigner, FakeTurn

START = datetime(2026, 1, 2, tzinfo=UTC)
LEAVES = [keccak256(bytes([index])) for index in range(5)]


class World:
    """Anchoring, with hands on the chain and on the clock."""

    def __init__(self) -> None:
        self.chain = FakeChain()
        self.turn = FakeTurn()
        self.now = START
        self.anchoring = Anchoring(
            network=Network("fake", 31337, confirmations=3, contract=CONTRACT, public_rpc_url=""),
            chain=self.chain,
            contract=FakeContract(),
            signer=FakeSigner(),
            policy=Policy(
                max_leaves=4,
                batch_after=timedelta(seconds=2),
                replace_after=timedelta(seconds=30),
                fee_ceiling_wei=1_000,
            ),
            keccak256=keccak256,
        )

    def arrive(self, *leaves: bytes) -> None:
        self.turn.leaves.update(dict.fromkeys(leaves, self.now))

    async def advance(self) -> Advance:
        advance = await advance_anchoring(self.anchoring, self.turn, uuid4(), self.now)
        for raw in advance.broadcast:
            await self.chain.broadcast(raw)
        return advance

    async def live(self, seconds: int) -> None:
        """One turn and one block a second."""
        for _ in range(seconds):
            self.now += timedelta(seconds=1)
            await self.advance()
            self.chain.mine()

    @property
    def statuses(self) -> list[AnchorStatus]:
        return [anchor.status for anchor in self.turn.anchors]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def anchored() -> World:
    """A world with one confirmed anchor."""
    world = World()
    world.arrive(*LEAVES[:3])
    await world.live(10)
    assert world.statuses == [AnchorStatus.CONFIRMED]
    return world


async def test_deploys_the_contract_before_anything_else(world: World) -> None:
    await world.advance()
    world.chain.mine()

    assert await world.chain.has_code(CONTRACT)


async def test_never_deploys_where_others_do(world: World) -> None:
    world.anchoring = replace(world.anchoring, contract=_DeployedByOthers())

    await world.live(3)

    assert world.chain.broadcasts == []


async def test_leaves_wait_for_company_then_are_anchored_and_told_once(world: World) -> None:
    world.arrive(*LEAVES[:3])
    await world.advance()
    assert world.turn.anchors == []

    await world.live(10)

    root = world.turn.anchors[0].root
    assert world.statuses == [AnchorStatus.CONFIRMED]
    assert world.turn.told == [root]
    assert {fold(leaf, world.turn.paths[leaf], keccak256) for leaf in LEAVES[:3]} == {root}


async def test_a_full_batch_does_not_wait(world: World) -> None:
    world.arrive(*LEAVES)

    await world.advance()

    assert len(world.turn.anchors) == 1
    assert len(world.turn.paths) == 4


async def test_leaves_that_came_before_the_clock_was_set_back_do_not_wait_for_it(world: World) -> None:
    world.arrive(*LEAVES[:3])
    world.now -= timedelta(hours=1)

    await world.advance()

    assert len(world.turn.anchors) == 1


async def test_a_transaction_sent_before_the_clock_was_set_back_is_replaced_all_the_same(anchored: World) -> None:
    anchored.chain.minimum_fee = 400
    anchored.arrive(LEAVES[3])
    await anchored.live(3)
    anchored.now -= timedelta(hours=1)

    await anchored.live(40)

    (submission,) = (
        each for each in anchored.turn.submissions.values() if each.call.data == anchored.turn.anchors[-1].root
    )
    assert len(submission.attempts) >= 2


async def test_leaves_gather_while_a_root_is_under_way(world: World) -> None:
    world.arrive(*LEAVES[:2])
    world.chain.minimum_fee = 10**9
    await world.live(5)
    world.arrive(*LEAVES[2:])
    await world.live(20)

    assert len(world.turn.anchors) == 1


async def test_an_anchor_is_confirmed_at_its_depth_and_not_before(world: World) -> None:
    world.arrive(*LEAVES[:3])
    for _ in range(12):
        world.now += timedelta(seconds=1)
        await world.advance()
        place = await world.turn.newest_place()
        depth = 0 if place is None else len(world.chain.blocks) - place.block_number
        assert (world.statuses == [AnchorStatus.CONFIRMED]) == (depth >= 3)
        world.chain.mine()


@pytest.mark.parametrize("depth", [1, 2, 3, 7])
async def test_a_reorganisation_is_survived(anchored: World, depth: int) -> None:
    place = await anchored.turn.newest_place()
    assert place is not None
    del anchored.chain.blocks[place.block_number + 1 :]
    anchored.chain.mine(depth - 1)

    anchored.chain.lose(depth)
    advance = await anchored.advance()
    assert (advance.withdrawn, anchored.statuses) == (1, [AnchorStatus.PENDING])
    await anchored.live(8)

    assert anchored.statuses == [AnchorStatus.CONFIRMED]


async def test_a_reorganisation_above_the_anchor_changes_nothing(anchored: World) -> None:
    before = anchored.turn.anchors
    anchored.chain.lose(2)

    advance = await anchored.advance()

    assert advance.withdrawn == 0
    assert anchored.turn.anchors == before


async def test_a_chain_that_starts_over_gets_contract_and_roots_again(anchored: World) -> None:
    anchored.chain.lose_everything()

    await anchored.live(10)

    assert anchored.statuses == [AnchorStatus.CONFIRMED]
    assert await anchored.chain.anchored_at(CONTRACT, anchored.turn.anchors[0].root) > 0


async def test_a_root_that_somebody_else_anchored_is_taken_as_anchored(anchored: World) -> None:
    anchored.arrive(LEAVES[4])
    anchored.now += timedelta(seconds=3)
    signer = anchored.anchoring.signer
    nonce = await anchored.chain.next_nonce(signer.address)
    fees = next(iter(anchored.turn.submissions.values())).attempts[0].fees
    await anchored.chain.broadcast(signer.sign(FakeContract().anchor(LEAVES[4]), nonce, 50_000, fees, anchored.now).raw)
    anchored.chain.mine()
    sent = len(anchored.chain.broadcasts)

    await anchored.live(5)

    assert anchored.statuses == [AnchorStatus.CONFIRMED, AnchorStatus.CONFIRMED]
    # One more, because the batch was closed in the turn that looked before it was made; it loses nothing.
    assert len(anchored.chain.broadcasts) <= sent + 1


async def test_a_nonce_that_went_to_somebody_else_costs_another_try(anchored: World) -> None:
    anchored.arrive(LEAVES[4])
    anchored.now += timedelta(seconds=3)
    anchored.chain.spend_nonce()
    await anchored.advance()

    await anchored.live(8)

    assert anchored.statuses == [AnchorStatus.CONFIRMED, AnchorStatus.CONFIRMED]
    assert Outcome.SUPERSEDED in anchored.turn.outcomes.values()


async def test_a_forgotten_transaction_is_told_again_unchanged(anchored: World) -> None:
    anchored.arrive(LEAVES[4])
    anchored.now += timedelta(seconds=3)
    (raw,) = (await anchored.advance()).broadcast
    anchored.chain.pool.clear()

    assert (await anchored.advance()).broadcast == (raw,)


async def test_a_stuck_transaction_is_replaced_with_higher_fees_and_the_same_nonce(anchored: World) -> None:
    anchored.chain.minimum_fee = 230
    anchored.arrive(LEAVES[4])
    await anchored.live(29)
    submission = await anchored.turn.open_submission()
    assert submission is not None
    assert len(submission.attempts) == 1

    await anchored.live(15)

    attempts = anchored.turn.submissions[submission.id].attempts
    assert len(attempts) == 2
    assert attempts[1].fees.max_fee_per_gas * 10 >= attempts[0].fees.max_fee_per_gas * 11
    assert anchored.turn.outcomes[submission.id] is Outcome.MINED
    assert anchored.statuses == [AnchorStatus.CONFIRMED, AnchorStatus.CONFIRMED]


async def test_a_transaction_that_the_node_drops_for_its_low_fee_is_replaced_too(anchored: World) -> None:
    anchored.chain.minimum_fee = 230
    anchored.arrive(LEAVES[4])
    for _ in range(45):
        await anchored.live(1)
        anchored.chain.pool = {n: sent for n, sent in anchored.chain.pool.items() if sent.max_fee >= 230}

    assert anchored.statuses == [AnchorStatus.CONFIRMED, AnchorStatus.CONFIRMED]


async def test_fees_stop_at_the_ceiling(anchored: World) -> None:
    anchored.chain.minimum_fee = 10**9
    anchored.arrive(LEAVES[4])

    await anchored.live(1_000)

    submission = await anchored.turn.open_submission()
    assert submission is not None
    assert all(attempt.fees.max_fee_per_gas <= 1_000 for attempt in submission.attempts)
    assert len(submission.attempts) > 5


async def test_a_silent_node_stops_the_turn_before_it_writes(world: World) -> None:
    world.arrive(*LEAVES)
    world.chain.silent = True

    with pytest.raises(NodeUnavailable, match="silent"):
        await world.advance()

    assert (world.turn.anchors, world.turn.submissions) == ([], {})


class _DeployedByOthers(FakeContract):
    deployment = None
