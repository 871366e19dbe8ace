"""KYC decisions on a real Postgres, over a real channel."""

import asyncio
import uuid
from datetime import UTC, datetime

import pytest
from psycopg.errors import InsufficientPrivilege

from quantmesh.api.auth.v1 import compliance_pb2 as pb
from quantmesh.api.auth.v1.compliance_pb2_grpc import ComplianceServiceStub
from quantmesh.api.auth.v1.events_pb2 import KycDecided
from quantmesh.api.common.v1.common_pb2 import PageRequest
from quantmesh.auth.adapters.kyc_store import KycStore
from quantmesh.auth.adapters.store import Store
from quantmesh.chassis.errors import InvalidInput, NotFound, PermissionDenied, PreconditionFailed
from quantmesh.chassis.sql import text

from .conftest import Auth
from .test_keys import service_token

TOLD = text(
    "SELECT aggregate_version, payload FROM outbox WHERE subject = 'auth.kyc.decided' ORDER BY aggregate_version"
)

# As a release wrote it that told nobody.
UNTOLD = text(
    "INSERT INTO kyc_decision (owner_id, version, status, reason, decided_by, decided_at)"
    " VALUES (CAST(:user_id AS uuid), :version, :status, 'papers seen', CAST(:user_id AS uuid), now())"
)


async def officer(auth: Auth) -> None:
    """Act as one whose role lets decide."""
    await auth.register("officer@example.com")
    async with auth.database.system_transaction() as session:
        await Store(session).set_roles("officer@example.com", frozenset({"compliance"}))
    auth.act_as((await auth.login("officer@example.com")).access_token)


def decision(
    user_id: str, status: pb.KycStatus.ValueType, reason: str = "papers seen", **more: int
) -> pb.SetKycRequest:
    return pb.SetKycRequest(user_id=user_id, status=status, reason=reason, **more)


async def test_a_decision_reaches_the_user_and_stays_in_the_history(auth: Auth) -> None:
    stub = ComplianceServiceStub(auth.peer.channel)
    user = await auth.register()
    token = (await auth.login()).access_token
    auth.act_as(token)
    assert (await auth.peer.call(stub.GetKyc, pb.GetKycRequest())).kyc.status == pb.KYC_STATUS_UNVERIFIED
    assert (await auth.peer.call(stub.SubmitKyc, pb.SubmitKycRequest())).kyc.status == pb.KYC_STATUS_PENDING
    await officer(auth)
    await auth.peer.call(stub.SetKyc, decision(user.id, pb.KYC_STATUS_APPROVED, expected_version=1))
    await auth.peer.call(stub.SetKyc, decision(user.id, pb.KYC_STATUS_SUSPENDED, "a court asked for it"))
    first = await auth.peer.call(stub.GetKycOf, pb.GetKycOfRequest(user_id=user.id, page=PageRequest(limit=2)))
    rest = await auth.peer.call(
        stub.GetKycOf, pb.GetKycOfRequest(user_id=user.id, page=PageRequest(limit=2, cursor=first.page.next_cursor))
    )
    assert [(each.version, each.status) for each in (*first.history, *rest.history)] == [
        (3, pb.KYC_STATUS_SUSPENDED),
        (2, pb.KYC_STATUS_APPROVED),
        (1, pb.KYC_STATUS_PENDING),
    ]
    assert not rest.page.next_cursor
    foreign = pb.GetKycOfRequest(user_id=user.id, page=PageRequest(cursor="nonsense"))
    with pytest.raises(InvalidInput) as refused:
        await auth.peer.call(stub.GetKycOf, foreign)
    assert refused.value.problem == "invalid-cursor"
    async with auth.database.system_transaction() as session:
        told = await session.execute(TOLD)
    assert [(version, KycDecided.FromString(bytes(payload))) for version, payload in told] == [
        (each.version, KycDecided(user_id=user.id, status=each.status))
        for each in reversed([*first.history, *rest.history])
    ]
    auth.act_as(token)
    kyc = (await auth.peer.call(stub.GetKyc, pb.GetKycRequest())).kyc
    assert (kyc.status, kyc.reason, kyc.version) == (pb.KYC_STATUS_SUSPENDED, "a court asked for it", 3)


async def test_the_last_decision_that_nobody_was_told_of_is_told_once(auth: Auth) -> None:
    user = await auth.register()
    async with auth.database.system_transaction() as session:
        for version, status in enumerate(("approved", "suspended"), start=1):
            await session.execute(UNTOLD, {"user_id": user.id, "version": version, "status": status})
    for _ in range(2):
        async with auth.database.system_transaction() as session:
            await KycStore(session).tell_untold(datetime.min.replace(tzinfo=UTC))
    async with auth.database.system_transaction() as session:
        rows = await session.execute(TOLD)
    told = [(row.aggregate_version, KycDecided.FromString(bytes(row.payload)).status) for row in rows]
    assert told == [(2, pb.KYC_STATUS_SUSPENDED)]


async def test_users_neither_decide_nor_look_at_each_other(auth: Auth) -> None:
    stub = ComplianceServiceStub(auth.peer.channel)
    other = await auth.register("bob@example.com")
    await auth.register()
    auth.act_as((await auth.login()).access_token)
    with pytest.raises(PermissionDenied):
        await auth.peer.call(stub.SetKyc, decision(other.id, pb.KYC_STATUS_APPROVED))
    with pytest.raises(PermissionDenied):
        await auth.peer.call(stub.GetKycOf, pb.GetKycOfRequest(user_id=other.id))


async def test_an_officer_is_told_what_is_wrong(auth: Auth) -> None:
    stub = ComplianceServiceStub(auth.peer.channel)
    user = await auth.register()
    await officer(auth)
    for unknown in (str(uuid.uuid4()), "nobody"):
        with pytest.raises(NotFound):
            await auth.peer.call(stub.SetKyc, decision(unknown, pb.KYC_STATUS_APPROVED))
    with pytest.raises(InvalidInput) as refused:
        await auth.peer.call(stub.SetKyc, decision(user.id, pb.KYC_STATUS_UNSPECIFIED))
    assert [each.field for each in refused.value.violations] == ["status"]
    with pytest.raises(PreconditionFailed):
        await auth.peer.call(stub.SetKyc, decision(user.id, pb.KYC_STATUS_APPROVED, expected_version=4))


async def test_a_service_asks_for_the_owner_that_it_acts_for(auth: Auth) -> None:
    stub = ComplianceServiceStub(auth.peer.channel)
    user = await auth.register()
    auth.act_as((await auth.login()).access_token)
    await auth.peer.call(stub.SubmitKyc, pb.SubmitKycRequest())
    metadata = [("authorization", f"Bearer {await service_token(auth)}"), ("x-owner-id", user.id)]
    answer = await stub.GetKyc(pb.GetKycRequest(), metadata=metadata)
    assert (answer.kyc.user_id, answer.kyc.status) == (user.id, pb.KYC_STATUS_PENDING)


async def test_a_kept_decision_cannot_be_changed(auth: Auth) -> None:
    stub = ComplianceServiceStub(auth.peer.channel)
    await auth.register()
    auth.act_as((await auth.login()).access_token)
    await auth.peer.call(stub.SubmitKyc, pb.SubmitKycRequest())
    for statement in ("UPDATE kyc_decision SET status = 'approved'", "DELETE FROM kyc_decision"):
        with pytest.raises(InsufficientPrivilege, match="permission denied"):
            async with auth.database.system_transaction() as session:
                await session.execute(text(statement))


async def test_asking_twice_at_once_is_asking_once(auth: Auth) -> None:
    """As somebody does who presses a button twice."""
    stub = ComplianceServiceStub(auth.peer.channel)
    user = await auth.register()
    auth.act_as((await auth.login()).access_token)
    async with auth.database.system_transaction() as session:
        await session.execute(UNTOLD, {"user_id": user.id, "version": 1, "status": "pending"})
        asked = asyncio.create_task(auth.peer.call(stub.SubmitKyc, pb.SubmitKycRequest()))
        waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted")
        while not await session.scalar(waiting):  # noqa: ASYNC110  Postgres tells nobody of a lock
            await asyncio.sleep(0.01)
    answer = (await asked).kyc
    assert (answer.status, answer.version) == (pb.KYC_STATUS_PENDING, 1)
