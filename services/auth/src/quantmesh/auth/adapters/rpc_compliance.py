"""ComplianceService over gRPC: KYC decisions."""

from typing import Any
from uuid import UUID

from quantmesh.api.auth.v1 import compliance_pb2 as pb
from quantmesh.api.auth.v1.compliance_pb2_grpc import ComplianceServiceServicer
from quantmesh.api.common.v1.common_pb2 import PageInfo
from quantmesh.auth.adapters.kyc_store import KYC_NUMBERS, KYC_STATUSES, KycStore
from quantmesh.auth.adapters.store import Store
from quantmesh.auth.core import kyc
from quantmesh.auth.core.errors import InvalidCursor, KycDecidedMeanwhile, NoSuchUser
from quantmesh.auth.core.model import KycDecision
from quantmesh.chassis import idempotency
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import InvalidInput, Violation
from quantmesh.chassis.identity import current_caller, requires
from quantmesh.chassis.times import to_timestamp

_PAGE_LIMIT = 200


class ComplianceRpc(ComplianceServiceServicer):
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @requires("")
    async def GetKyc(self, request: pb.GetKycRequest, context: Any) -> pb.GetKycResponse:
        user_id = current_caller().user_id
        async with self._database.transaction(user_id) as session:
            return pb.GetKycResponse(kyc=_kyc(user_id, await KycStore(session).latest_kyc(user_id)))

    @requires("account:manage")
    async def SubmitKyc(self, request: pb.SubmitKycRequest, context: Any) -> pb.SubmitKycResponse:
        try:
            return await self._submit(request)
        except KycDecidedMeanwhile:
            # Asked for twice at once, which changes nothing, or decided: either can be read now.
            return await self._submit(request)

    async def _submit(self, request: pb.SubmitKycRequest) -> pb.SubmitKycResponse:
        user_id = current_caller().user_id
        async with self._database.transaction(user_id) as session:

            async def submit() -> pb.SubmitKycResponse:
                asked = await kyc.submit(KycStore(session), user_id, self._clock.now())
                return pb.SubmitKycResponse(kyc=_kyc(user_id, asked))

            return await idempotency.once(
                session, user_id, scope="SubmitKyc", request=request, answer=pb.SubmitKycResponse, run=submit
            )

    @requires("compliance:manage")
    async def GetKycOf(self, request: pb.GetKycOfRequest, context: Any) -> pb.GetKycOfResponse:
        user_id = _user_id(request.user_id)
        limit = min(request.page.limit or 50, _PAGE_LIMIT)
        before = _cursor(request.page.cursor)
        async with self._database.system_transaction() as session:
            await _require_user(Store(session), user_id)
            latest = await KycStore(session).latest_kyc(user_id)
            found = await KycStore(session).kyc_history(user_id, before, limit + 1)
        page = found[:limit]
        following = str(page[-1].version) if len(found) > limit else ""
        return pb.GetKycOfResponse(
            kyc=_kyc(user_id, latest), history=map(_entry, page), page=PageInfo(next_cursor=following)
        )

    @requires("compliance:manage")
    async def SetKyc(self, request: pb.SetKycRequest, context: Any) -> pb.SetKycResponse:
        user_id = _user_id(request.user_id)
        if request.status not in KYC_STATUSES:
            detail = f"must be one of {', '.join(KYC_STATUSES.values())}"
            raise InvalidInput(f"The status {detail}.", violations=[Violation("status", detail)])
        async with self._database.system_transaction() as session:
            await _require_user(Store(session), user_id)
            decision = await kyc.decide(
                KycStore(session),
                user_id,
                KYC_STATUSES[request.status],
                request.reason,
                expected_version=request.expected_version if request.HasField("expected_version") else None,
                decided_by=current_caller().user_id,
                now=self._clock.now(),
            )
        return pb.SetKycResponse(kyc=_kyc(user_id, decision))


async def _require_user(store: Store, user_id: UUID) -> None:
    if await store.find_user(user_id) is None:
        raise NoSuchUser(str(user_id))


def _user_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NoSuchUser(text[:64]) from error


def _cursor(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidCursor
    return int(text)


def _kyc(user_id: UUID, latest: KycDecision | None) -> pb.Kyc:
    if latest is None:
        return pb.Kyc(user_id=str(user_id), status=pb.KYC_STATUS_UNVERIFIED)
    return pb.Kyc(
        user_id=str(user_id),
        status=KYC_NUMBERS[latest.status],
        reason=latest.reason,
        decided_at=to_timestamp(latest.decided_at),
        version=latest.version,
    )


def _entry(decision: KycDecision) -> pb.KycDecision:
    return pb.KycDecision(
        status=KYC_NUMBERS[decision.status],
        reason=decision.reason,
        decided_by=str(decision.decided_by),
        decided_at=to_timestamp(decision.decided_at),
        version=decision.version,
    )
