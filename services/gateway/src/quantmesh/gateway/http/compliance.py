"""/compliance: whether it is known who a user is."""

from functools import partial

from quantmesh.api.auth.v1 import compliance_pb2 as pb
from quantmesh.api.auth.v1.compliance_pb2_grpc import ComplianceServiceStub
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.core.conditional import version_tag
from quantmesh.gateway.http.answer import Answer, ok, replayed
from quantmesh.gateway.http.call import Call
from quantmesh.gateway.http.models import compliance as models
from quantmesh.gateway.http.models.base import Id, PageQuery
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.http.route import QueryOf
from quantmesh.gateway.translation import compliance as translation
from quantmesh.gateway.translation.common import page_request


class Compliance:
    def __init__(self, auth: Peer) -> None:
        self._auth = auth
        self._stub = ComplianceServiceStub(auth.channel)

    def operations(self) -> Operations:
        operations = Operations("/api/v2/compliance", "compliance")
        add = operations.add
        add("GET", "/kyc", self.own, summary="One's own KYC status", scope="", answer=models.KycShown)
        add(
            "POST",
            "/kyc",
            self.submit,
            summary="Ask to be looked at: unverified becomes pending",
            scope="account:manage",
            answer=models.KycShown,
            idempotency="optional",
        )
        add(
            "GET",
            "/kyc/{user_id}",
            self.of_user,
            summary="A user's KYC status and its history",
            scope="compliance:manage",
            answer=models.KycHistoryShown,
        )
        add(
            "PUT",
            "/kyc/{user_id}",
            self.decide,
            summary="Decide on a user's KYC status",
            scope="compliance:manage",
            answer=models.KycShown,
            takes_body=True,
            conditional="match",
            statuses=(409,),
        )
        return operations

    async def own(self) -> Answer:
        answer = await self._auth.call(self._stub.GetKyc, pb.GetKycRequest())
        return ok(translation.kyc(answer.kyc))

    async def submit(self) -> Answer:
        answer, again = await self._auth.call_replayable(self._stub.SubmitKyc, pb.SubmitKycRequest())
        return ok(translation.kyc(answer.kyc), headers=replayed(again))

    async def of_user(self, user_id: Id, query: QueryOf[PageQuery]) -> Answer:
        request = pb.GetKycOfRequest(user_id=user_id, page=page_request(query.limit, query.cursor))
        answer = await self._auth.call(self._stub.GetKycOf, request)
        return ok(translation.history(answer), tag=version_tag(answer.kyc.version))

    async def decide(self, call: Call, user_id: Id, body: models.KycDecisionBody) -> Answer:
        request = pb.SetKycRequest(
            user_id=user_id,
            status=translation.STATUSES[body.status],
            reason=body.reason,
            expected_version=await call.expected_version(partial(self._version, user_id)),
        )
        answer = await self._auth.call(self._stub.SetKyc, request)
        return ok(translation.kyc(answer.kyc), tag=version_tag(answer.kyc.version))

    async def _version(self, user_id: Id) -> int:
        answer = await self._auth.call(self._stub.GetKycOf, pb.GetKycOfRequest(user_id=user_id))
        return answer.kyc.version
