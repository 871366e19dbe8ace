"""One turn of anchoring: look at the chain, write down what became of our roots, send what is missing.

The chain is the record of what is anchored; our tables only remember it. So a lost receipt, a nonce that went to
somebody else, a reorganisation and a chain that starts over are all one case: what is not there is sent again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from quantmesh.blockchain.core.errors import CallRefused
from quantmesh.blockchain.core.fees import Fees, opening_fees, replacement_fees
from quantmesh.blockchain.core.merkle import build_tree
from quantmesh.blockchain.core.model import Call, Head, Network, Submission
from quantmesh.blockchain.core.ports import AnchorContract, Chain, Keccak256, Signer, Turn
from quantmesh.blockchain.core.settle_submission import Step, next_step, outcome_of

# Between the estimate and the block somebody else's transaction may make ours dearer.
_GAS_MARGIN_NUMERATOR, _GAS_MARGIN_DENOMINATOR = 6, 5


@dataclass(frozen=True, slots=True)
class Policy:
    """A batch is closed at `max_leaves` or when its oldest leaf has waited `batch_after`."""

    max_leaves: int
    batch_after: timedelta
    replace_after: timedelta
    fee_ceiling_wei: int


@dataclass(frozen=True, slots=True)
class Anchoring:
    """The fixed parts of anchoring on one network."""

    network: Network
    chain: Chain
    contract: AnchorContract
    signer: Signer
    policy: Policy
    keccak256: Keccak256


@dataclass(frozen=True, slots=True)
class Advance:
    """What a turn did. `broadcast` goes out once the turn is committed, so that no sent nonce is ever forgotten.

    `refused` is why nothing could be sent: an answer too, and what was seen before it is written down all the same.
    """

    withdrawn: int = 0
    confirmed: int = 0
    broadcast: tuple[bytes, ...] = ()
    refused: CallRefused | None = None


async def advance_anchoring(anchoring: Anchoring, turn: Turn, submission_id: UUID, now: datetime) -> Advance:
    """`submission_id` names a submission, should this turn open one. Raises NodeUnavailable."""
    head = await anchoring.chain.head()
    withdrawn = await _withdraw_lost(anchoring.chain, turn, head)
    confirmed = await turn.confirm(head.number - anchoring.network.confirmations + 1, now)
    await _put_found_in_place(anchoring, turn)
    await _close_batch(anchoring, turn, now)
    submission = await turn.open_submission()
    if submission is not None:
        raw = await _pursue(anchoring, turn, submission, head, now)
        return Advance(withdrawn, confirmed, raw)
    needed = await _needed_call(anchoring, turn)
    if needed is None:
        return Advance(withdrawn, confirmed)
    purpose, call = needed
    try:
        raw = await _submit(anchoring, turn, head, submission_id=submission_id, purpose=purpose, call=call, now=now)
    except CallRefused as refused:
        return Advance(withdrawn, confirmed, refused=refused)
    return Advance(withdrawn, confirmed, raw)


async def _withdraw_lost(chain: Chain, turn: Turn, head: Head) -> int:
    """Each block vouches for the ones before it, so the newest place that is still on chain ends the search."""
    withdrawn = await turn.withdraw(from_block=head.number + 1)
    while (place := await turn.newest_place()) is not None:
        if await chain.block_hash(place.block_number) == place.block_hash:
            break
        withdrawn += await turn.withdraw(from_block=place.block_number)
    return withdrawn


async def _put_found_in_place(anchoring: Anchoring, turn: Turn) -> None:
    """Whoever sent it: a root that the contract knows is anchored."""
    while (anchor := await turn.oldest_pending()) is not None:
        place = await anchoring.chain.place_of(anchoring.contract.address, anchor.root)
        if place is None:
            break
        await turn.put_in_place(anchor.id, place)


async def _close_batch(anchoring: Anchoring, turn: Turn, now: datetime) -> None:
    """One root at a time: while one is under way the leaves gather, and a slow chain makes batches larger, not more."""
    policy = anchoring.policy
    oldest = await turn.waiting_since()
    if oldest is None or await turn.oldest_pending() is not None:
        return
    leaves = await turn.waiting_leaves(policy.max_leaves)
    # A leaf from a later time than now came before the clock was set back: it has waited long enough.
    if len(leaves) < policy.max_leaves and timedelta(0) <= now - oldest < policy.batch_after:
        return
    tree = build_tree(leaves, anchoring.keccak256)
    await turn.add_anchor(tree.root, tree.paths, now)


async def _needed_call(anchoring: Anchoring, turn: Turn) -> tuple[str, Call] | None:
    contract = anchoring.contract
    if contract.deployment is not None and not await anchoring.chain.has_code(contract.address):
        return "deploy", contract.deployment
    anchor = await turn.oldest_pending()
    return None if anchor is None else (f"anchor {anchor.id}", contract.anchor(anchor.root))


async def _pursue(
    anchoring: Anchoring, turn: Turn, submission: Submission, head: Head, now: datetime
) -> tuple[bytes, ...]:
    chain, newest = anchoring.chain, submission.attempts[-1]
    # Counted before the receipts are read: whatever is counted has its receipt by then.
    next_nonce = await chain.next_nonce(anchoring.signer.address)
    known = await chain.knows(newest.hash)
    match next_step(
        submission, next_nonce=next_nonce, known=known, now=now, replace_after=anchoring.policy.replace_after
    ):
        case Step.CLOSE:
            receipts = [await chain.receipt(attempt.hash) for attempt in submission.attempts]
            await turn.close(submission.id, outcome_of(receipts))
        case Step.REBROADCAST:
            return (newest.raw,)
        case Step.REPLACE:
            return await _replace(anchoring, turn, submission, head, now)
        case Step.WAIT:
            pass
    return ()


async def _replace(
    anchoring: Anchoring, turn: Turn, submission: Submission, head: Head, now: datetime
) -> tuple[bytes, ...]:
    fees = replacement_fees(
        submission.attempts[-1].fees, await _fresh_fees(anchoring, head), anchoring.policy.fee_ceiling_wei
    )
    if fees is None:
        return (submission.attempts[-1].raw,)
    attempt = anchoring.signer.sign(submission.call, submission.nonce, submission.gas_limit, fees, now)
    await turn.add_attempt(submission.id, attempt)
    return (attempt.raw,)


async def _submit(
    anchoring: Anchoring, turn: Turn, head: Head, *, submission_id: UUID, purpose: str, call: Call, now: datetime
) -> tuple[bytes, ...]:
    chain, signer = anchoring.chain, anchoring.signer
    if not await chain.has_code(call.to):
        # It would succeed, since nobody is there to refuse it, and be paid for in every block.
        raise CallRefused(call.to, "nothing is deployed there")
    nonce, fees = await chain.next_nonce(signer.address), await _fresh_fees(anchoring, head)
    estimate = await chain.estimate_gas(signer.address, call, fees)
    gas_limit = estimate * _GAS_MARGIN_NUMERATOR // _GAS_MARGIN_DENOMINATOR
    attempt = signer.sign(call, nonce, gas_limit, fees, now)
    await turn.open(
        Submission(id=submission_id, purpose=purpose, nonce=nonce, call=call, gas_limit=gas_limit, attempts=(attempt,))
    )
    return (attempt.raw,)


async def _fresh_fees(anchoring: Anchoring, head: Head) -> Fees:
    return opening_fees(
        head.base_fee_per_gas, await anchoring.chain.suggested_priority_fee(), anchoring.policy.fee_ceiling_wei
    )
