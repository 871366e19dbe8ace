"""Recording under load: requests of one owner that come at the same time share a transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import psycopg

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.context import current_call, mark_replayed
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import QuantmeshError
from quantmesh.chassis.grouping import Grouped
from quantmesh.chassis.idempotency import Claim
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.pool import AllInUse
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.portfolio.adapters import translate
from quantmesh.portfolio.adapters.rpc.base import within
from quantmesh.portfolio.adapters.rpc.known_accounts import KnownAccounts
from quantmesh.portfolio.adapters.store.appending import Overtaken
from quantmesh.portfolio.adapters.store.journal import Wanted
from quantmesh.portfolio.adapters.store.recording import SharedTransaction, lock_of
from quantmesh.portfolio.adapters.store.shared_accounts import AtOnce, SharedAccounts
from quantmesh.portfolio.core.admission import touched
from quantmesh.portfolio.core.known_account import KnownAccount, NotKnown
from quantmesh.portfolio.core.model import TransactionInput
from quantmesh.portfolio.core.record_transactions import needs_only_books, record_transaction

log = get_logger(__name__)

# While Postgres works for one group, the next is prepared.
_LANES = 2
_MOST, _LEAST = 64, 8
# Each holds a connection while it waits.
_APART = 4


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


@dataclass(frozen=True, slots=True)
class _Groups:
    """One owner's. Those that go `apart` wait for who holds their account, one per account and few in all."""

    together: Grouped[Recording, _Outcome]
    apart: Grouped[Recording, _Answered | _Refused]

    @property
    def are_idle(self) -> bool:
        return self.together.is_idle and self.apart.is_idle


class Recorder:
    def __init__(self, database: Database, clock: Clock, known: KnownAccounts) -> None:
        self._database = database
        self._clock = clock
        self._groups: dict[UUID, _Groups] = {}
        self._known = known

    async def record(
        self, portfolio_id: UUID, asked: TransactionInput, currency: str, claim: Claim
    ) -> pb.RecordTransactionResponse:
        recording = Recording(portfolio_id, asked, currency, claim, current_call().traceparent)
        groups = self._groups.get(claim.owner_id)
        if groups is None:
            groups = self._groups[claim.owner_id] = self._groups_of(claim.owner_id)
        try:
            outcome = await groups.together.do(recording, portfolio_id)
            if isinstance(outcome, _Apart):
                outcome = await groups.apart.do(recording, portfolio_id)
        finally:
            if groups.are_idle and self._groups.get(claim.owner_id) is groups:
                del self._groups[claim.owner_id]
        if isinstance(outcome, _Refused):
            raise outcome.error
        if outcome.is_repetition:
            mark_replayed()
        return pb.RecordTransactionResponse.FromString(outcome.answer)

    def _groups_of(self, owner_id: UUID) -> "_Groups":
        return _Groups(
            Grouped(partial(self._together, owner_id), lanes=_LANES, most=_MOST, least=_LEAST),
            Grouped(partial(self._alone, owner_id), lanes=_APART, most=1),
        )

    async def _together(self, owner_id: UUID, recordings: Sequence[Recording]) -> Sequence[_Outcome]:
        known = self._known.take(owner_id, [recording.portfolio_id for recording in recordings])
        outcomes = await self._at_once(owner_id, recordings, known)
        if outcomes is not None:
            return outcomes
        try:
            return await self._in_one_transaction(owner_id, recordings, known)
        except Exception as error:
            if len(recordings) == 1:
                raise
            # Whose it was shows when each goes on by itself.
            log.info("recordings go apart", recordings=len(recordings), error=type(error).__name__)
        return [_Apart() for _ in recordings]

    async def _at_once(
        self, owner_id: UUID, recordings: Sequence[Recording], known: Mapping[UUID, KnownAccount]
    ) -> Sequence[_Outcome] | None:
        """By what is known of the accounts; None where that is too little, or not true any more.

        Whatever else happens is found out the other way, also whether this was committed before its connection died:
        there the key is looked up first.
        """
        if not all(_is_known(recording, known) for recording in recordings):
            return None
        shared = SharedAccounts(AtOnce(self._database, owner_id), owner_id, known)
        outcomes = [await self._from_known(shared, recording) for recording in recordings]
        if not any(isinstance(outcome, _Answered) for outcome in outcomes):
            return None
        try:
            await shared.write(_answers(recordings, outcomes))
        except AllInUse:
            # Nothing was sent; to wait for a connection once more helps nobody.
            raise
        except (Overtaken, psycopg.Error, QuantmeshError) as error:
            log.info("what is known of accounts does not do", recordings=len(recordings), error=type(error).__name__)
            return None
        self._known.remember(owner_id, shared.written)
        return outcomes

    async def _from_known(self, shared: SharedAccounts, recording: Recording) -> _Outcome:
        try:
            return await self._recorded(shared, recording)
        except (NotKnown, QuantmeshError):
            # A refusal is told by what the account is now, not by what it was.
            shared.drop(recording.portfolio_id)
            return _Apart()

    async def _alone(self, owner_id: UUID, recordings: Sequence[Recording]) -> Sequence[_Answered | _Refused]:
        outcomes = await self._in_one_transaction(owner_id, recordings, {}, waits=True)
        return [outcome for outcome in outcomes if not isinstance(outcome, _Apart)]

    async def _in_one_transaction(
        self,
        owner_id: UUID,
        recordings: Sequence[Recording],
        known: Mapping[UUID, KnownAccount],
        *,
        waits: bool = False,
    ) -> Sequence[_Outcome]:
        """One that is not among several `waits` for who holds its account; nobody else is kept from recording by it."""
        claims = [recording.claim for recording in recordings]
        lock = lock_of(claims, [recording.portfolio_id for recording in recordings], waits=waits)
        async with self._database.gathered(owner_id, [lock]) as session:
            shared = SharedTransaction(session, owner_id, known)
            await shared.lock(claims, lock)
            await shared.read(claims, [want for recording in recordings for want in _wants(recording, shared)])
            alone = len(recordings) == 1
            outcomes = [await self._one(shared, recording, alone=alone, waits=waits) for recording in recordings]
            await shared.write(_answers(recordings, outcomes))
        self._known.remember(owner_id, shared.written)
        return outcomes

    async def _one(self, shared: SharedTransaction, recording: Recording, *, alone: bool, waits: bool) -> _Outcome:
        claim, portfolio_id = recording.claim, recording.portfolio_id
        if not waits and shared.portfolio(portfolio_id) is None:
            # Held by somebody else, or not there.
            return _Apart()
        try:
            kept = shared.answers.get(claim.key)
            if kept is not None:
                claim.check(kept.request_hash)
                return _Answered(kept.answer, is_repetition=True)
            if not shared.held[claim.key]:
                raise claim.twin_running()
            return await self._recorded(shared, recording)
        except QuantmeshError as refusal:
            if alone:
                raise
            if not shared.drop(portfolio_id):
                raise _WrittenBefore from refusal
            return _Refused(refusal)

    async def _recorded(self, shared: SharedAccounts, recording: Recording) -> _Answered:
        store = shared.store(recording.traceparent)
        with within("transaction"):
            recorded = await record_transaction(
                store, recording.portfolio_id, recording.asked, recording.currency, self._clock.now(), uuid7
            )
        answer = pb.RecordTransactionResponse(**translate.recorded(recorded))
        return _Answered(answer.SerializeToString(deterministic=True))


def _answers(recordings: Sequence[Recording], outcomes: Sequence[_Outcome]) -> dict[Claim, bytes]:
    """Those to keep."""
    return {
        recording.claim: outcome.answer
        for recording, outcome in zip(recordings, outcomes, strict=True)
        if isinstance(outcome, _Answered) and not outcome.is_repetition
    }


def _is_known(recording: Recording, known: Mapping[UUID, KnownAccount]) -> bool:
    account = known.get(recording.portfolio_id)
    if account is None or not needs_only_books(recording.asked):
        return False
    holdings = touched(recording.asked, recording.currency or account.portfolio.base_currency)
    return account.knows(holdings, recording.asked.executed_at)


def _wants(recording: Recording, shared: SharedTransaction) -> list[Wanted]:
    portfolio = shared.portfolio(recording.portfolio_id)
    if portfolio is None:
        return []
    holdings = touched(recording.asked, recording.currency or portfolio.base_currency)
    return [Wanted(portfolio.id, holding, recording.asked.executed_at) for holding in holdings]
