"""What to do about a submission that is still open, from what the node says about it."""

from datetime import datetime, timedelta
from enum import Enum, auto

from quantmesh.blockchain.core.model import Outcome, Receipt, Submission


class Step(Enum):
    CLOSE = auto()
    REBROADCAST = auto()
    REPLACE = auto()
    WAIT = auto()


def next_step(submission: Submission, *, next_nonce: int, known: bool, now: datetime, replace_after: timedelta) -> Step:
    """`next_nonce` counts the sender's transactions in blocks; `known`: the node has the newest attempt.

    A nonce below ours means that blocks before ours were lost, so ours cannot be mined in its turn any more.
    A node that is killed forgets its pool: what it does not know is told to it again. One whose base fee has risen
    above our offer forgets it too, and would refuse it for ever, hence age counts first.
    """
    if next_nonce != submission.nonce:
        return Step.CLOSE
    # Either way: a clock that was set back far would else have to catch up first.
    if abs(now - submission.attempts[-1].sent_at) >= replace_after:
        return Step.REPLACE
    return Step.WAIT if known else Step.REBROADCAST


def outcome_of(receipts: list[Receipt | None]) -> Outcome:
    """How a closed submission ended, from the receipts of all its attempts; at most one of them was mined."""
    mined = next((receipt for receipt in receipts if receipt is not None), None)
    if mined is None:
        return Outcome.SUPERSEDED
    return Outcome.MINED if mined.succeeded else Outcome.REVERTED
