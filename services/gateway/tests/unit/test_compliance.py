"""/compliance at the edge."""

from quantmesh.api.auth.v1 import compliance_pb2 as pb
from quantmesh.chassis.errors import PermissionDenied
from quantmesh.gateway.http.models.compliance import KycHistoryShown, KycShown

from .edges import ADA, SCOPES, Edge, caller, make_edge
from .samples import NOW

KYC = pb.Kyc(user_id=str(ADA), status=pb.KYC_STATUS_APPROVED, reason="papers seen", decided_at=NOW, version=2)
DECISION = pb.KycDecision(
    status=pb.KYC_STATUS_APPROVED, reason="papers seen", decided_by=str(ADA), decided_at=NOW, version=2
)
PATH = f"/api/v2/compliance/kyc/{ADA}"


async def test_the_status_is_shown_to_its_user_and_with_its_history_to_an_officer(edge: Edge) -> None:
    auth = edge.peers["auth"]
    auth.answers["GetKyc"] = pb.GetKycResponse(kyc=pb.Kyc(user_id=str(ADA), status=pb.KYC_STATUS_UNVERIFIED))
    auth.answers["GetKycOf"] = pb.GetKycOfResponse(kyc=KYC, history=[DECISION])
    own = KycShown.model_validate((await edge.http.get("/api/v2/compliance/kyc")).json())
    assert (own.status, own.version, own.reason) == ("unverified", 0, None)
    answer = await edge.http.get(PATH)
    shown = KycHistoryShown.model_validate(answer.json())
    assert (shown.status, [each.decided_by for each in shown.data]) == ("approved", [str(ADA)])
    assert answer.headers["etag"] == '"2"'


async def test_a_decision_is_passed_on_with_the_version_that_the_officer_saw(edge: Edge) -> None:
    auth = edge.peers["auth"]
    auth.answers["SetKyc"] = pb.SetKycResponse(kyc=KYC)
    body = {"status": "approved", "reason": "papers seen"}
    assert (await edge.http.put(PATH, json=body)).json()["version"] == 2
    assert not auth.last("SetKyc").HasField("expected_version")
    await edge.http.put(PATH, json=body, headers={"If-Match": '"0"'})
    assert auth.last("SetKyc").expected_version == 0
    for wrong in ({"status": "approved"}, {"status": "known", "reason": "x"}, {**body, "reason": ""}):
        assert (await edge.http.put(PATH, json=wrong)).status_code == 422


async def test_only_the_scope_of_compliance_opens_the_cases_of_others() -> None:
    edge = make_edge(investor=caller(scopes=SCOPES - {"compliance:manage"}))
    http = edge.client(Authorization="Bearer investor")
    assert (await http.get(PATH)).status_code == 403
    assert (await http.put(PATH, json={"status": "approved", "reason": "x"})).status_code == 403
    assert not edge.peers["auth"].asked


async def test_a_refusal_of_auth_keeps_its_status(edge: Edge) -> None:
    edge.peers["auth"].answers["SetKyc"] = PermissionDenied("Nobody decides on their own verification.")
    assert (await edge.http.put(PATH, json={"status": "approved", "reason": "x"})).status_code == 403
