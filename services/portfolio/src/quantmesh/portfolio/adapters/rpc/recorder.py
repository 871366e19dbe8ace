"""Recording under load: requests of one owner that come at the same time share a transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.context import current_call, mark_replayed
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import QuantmeshError
from quantmesh.chassis.grouping import Grouped
from quantmesh.chassis.idempotency import Claim
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.portfolio.adapters import translate
from quantmesh.portfolio.adapters.rpc.base import within
from quantmesh.portfolio.adapters.store.journal import Wanted
from quantmesh.portfolio.adapters.store.recording import SharedTransaction
from quantmesh.portfolio.core.admission import touched
from quantmesh.portfolio.core.model import TransactionInput
from quantmesh.portfolio.core.record_transactions import record_transaction

log = get_logger(__name__)

# While Postgres works for one group, the next is prepared.
_LANES = 2
_MOST = 64


@dataclass(frozen=True, slots=True)
class Recording:
    """What is asked: `currency` is empty where it is the portfolio's base currency."""

    portfolio_id: UUID
    asked: TransactionInput
    currency: str
    claim: Claim
    traceparent: str


@dataclass(frozen=True, slots=True)
class _Answered:
    answer: bytes
    is_repetition: bool = False


@dataclass(frozen=True, slots=True)
class _Refused:
    error: QuantmeshError


class _Apart:
    """What only a transaction of its own can tell."""


class _WrittenBefore(Exception):
    """A refusal that comes after what it refuses was written."""


_Outcome = _Answered | _Refused | _Apart


class Recorder:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._groups: dict[UUID, Grouped[Recording, _Outcome]] = {}

    async def record(
        self, portfolio_id: UUID, asked: TransactionInput, currency: str, claim: Claim
    ) -> pb.RecordTransactionResponse:
        recording = Recording(portfolio_id, asked, currency, claim, current_call().traceparent)
        owner_id = claim.owner_id
        group = self._groups.get(owner_id)
        if group is None:
            group = self._groups[owner_id] = Grouped(partial(self._together, owner_id), lanes=_LANES, most=_MOST)
        try:
            outcome = await group.do(recording, portfolio_id)
        finally:
            if group.is_idle and self._groups.get(owner_id) is group:
                del self._groups[owner_id]
        if isinstance(outcome, _Refused):
            raise outcome.error
        answered = await self._alone(owner_id, recording) if isinstance(outcome, _Apart) else outcome
        if answered.is_repetition:
            mark_replayed()
        return pb.RecordTransactionResponse.FromString(answered.answer)

    async def _together(self, owner_id: UUID, recordings: Sequence[Recording]) -> Sequence[_Outcome]:
        if len(recordings) == 1:
            return [await self._alone(owner_id, recordings[0])]
        try:
            return await self._in_one_transaction(owner_id, recordings)
        except Exception as error:  # noqa: BLE001  whose it was shows when each goes on by itself
            log.info("recordings go apart", recordings=len(recordings), error=str(error))
        return [_Apart() for _ in recordings]

    async def _alone(self, owner_id: UUID, recording: Recording) -> _Answered:
        (outcome,) = await self._in_one_transaction(owner_id, [recording])
        if not isinstance(outcome, _Answered):
            msg = f"a recording by itself is answered or raises, and was {outcome}"
            raise TypeError(msg)
        return outcome

    async def _in_one_transaction(self, owner_id: UUID, recordings: Sequence[Recording]) -> Sequence[_Outcome]:
        claims = [recording.claim for recording in recordings]
        async with self._database.transaction(owner_id) as session:
            shared = SharedTransaction(session, owner_id)
            await shared.lock(claims, [recording.portfolio_id for recording in recordings])
            await shared.read(claims, [want for recording in recordings for want in _wants(recording, shared)])
            outcomes = [await self._one(shared, recording, alone=len(recordings) == 1) for recording in recordings]
            answers = {
                claim: outcome.answer
                for claim, outcome in zip(claims, outcomes, strict=True)
                if isinstance(outcome, _Answered) and not outcome.is_repetition
            }
            await shared.write(answers)
        return outcomes

    async def _one(self, shared: SharedTransaction, recording: Recording, *, alone: bool) -> _Outcome:
        claim, portfolio_id = recording.claim, recording.portfolio_id
        if not alone and shared.portfolio(portfolio_id) is None:
            # Held by somebody else, or not there.
            return _Apart()
        try:
            kept = shared.answers.get(claim.key)
            if kept is not None:
                claim.check(kept.request_hash)
                return _Answered(kept.answer, is_repetition=True)
            if not shared.held[claim.key]:
                raise claim.twin_running()
            store = shared.store_for(portfolio_id, recording.traceparent)
            with within("transaction"):
                recorded = await record_transaction(
                    store, portfolio_id, recording.asked, recording.currency, self._clock.now(), uuid7
                )
        except QuantmeshError as refusal:
            if alone:
                raise
            if not shared.drop(portfolio_id):
                raise _WrittenBefore from refusal
            return _Refused(refusal)
        answer = pb.RecordTransactionResponse(**translate.recorded(recorded))
        return _Answered(answer.SerializeToString(deterministic=True))


def _wants(recording: Recording, shared: SharedTransaction) -> list[Wanted]:
    portfolio = shared.portfolio(recording.portfolio_id)
    if portfolio is None:
        return []
    holdings = touched(recording.asked, recording.currency or portfolio.base_currency)
    return [Wanted(portfolio.id, holding, recording.asked.executed_at) for holding in holdings]
