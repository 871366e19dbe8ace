"""A repetition under the same key answers the first bytes, secrets included, which the table does not show."""

from datetime import timedelta
from hashlib import sha256

import pytest

from quantmesh.api.auth.v1 import auth_pb2 as pb
from quantmesh.api.auth.v1 import compliance_pb2
from quantmesh.api.auth.v1.compliance_pb2_grpc import ComplianceServiceStub
from quantmesh.chassis.errors import AlreadyExists, InvalidInput
from quantmesh.chassis.sql import text
from quantmesh.chassis.times import to_timestamp

from .conftest import PASSWORD, Auth

REGISTRATION = pb.RegisterRequest(email="ada@example.com", password=PASSWORD, full_name="Ada Lovelace")


async def test_a_registration_that_is_sent_again_is_answered_as_the_first_was(auth: Auth) -> None:
    auth.act_as("", key="signing up")
    first, replayed_first = await auth.peer.call_replayable(auth.stub.Register, REGISTRATION)
    second, replayed_second = await auth.peer.call_replayable(auth.stub.Register, REGISTRATION)
    assert second.SerializeToString() == first.SerializeToString()
    assert (replayed_first, replayed_second) == (False, True)
    other = pb.RegisterRequest()
    other.CopyFrom(REGISTRATION)
    other.password = f"{PASSWORD}-other"
    with pytest.raises(InvalidInput) as refused:
        await auth.peer.call(auth.stub.Register, other)
    assert refused.value.problem == "idempotency-key-reused"
    auth.act_as("", key="another key")
    with pytest.raises(AlreadyExists):
        await auth.peer.call(auth.stub.Register, REGISTRATION)


async def test_an_api_key_is_made_once_and_its_secret_is_kept_sealed(auth: Auth) -> None:
    await auth.register()
    token = (await auth.login()).access_token
    auth.act_as(token, key="for the robot")
    request = pb.CreateApiKeyRequest(name="robot", all_scopes=True)
    first = await auth.peer.call(auth.stub.CreateApiKey, request)
    second, replayed = await auth.peer.call_replayable(auth.stub.CreateApiKey, request)
    assert (second, replayed) == (first, True)
    assert len((await auth.peer.call(auth.stub.ListApiKeys, pb.ListApiKeysRequest())).api_keys) == 1
    async with auth.database.system_transaction() as session:
        kept = bytes(await session.scalar(text("SELECT answer FROM idempotency")) or b"")
    assert kept
    assert first.secret.encode() not in kept
    with pytest.raises(InvalidInput):
        await auth.peer.call(auth.stub.CreateApiKey, pb.CreateApiKeyRequest(name="another robot", all_scopes=True))


async def test_a_key_that_has_expired_meanwhile_is_answered_again_all_the_same(auth: Auth) -> None:
    await auth.register()
    auth.act_as((await auth.login()).access_token, key="for the robot")
    end = auth.clock.now() + timedelta(hours=1)
    request = pb.CreateApiKeyRequest(name="robot", all_scopes=True, expires_at=to_timestamp(end))
    first = await auth.peer.call(auth.stub.CreateApiKey, request)
    auth.clock.offset = timedelta(hours=2)
    assert await auth.peer.call_replayable(auth.stub.CreateApiKey, request) == (first, True)


async def test_what_is_kept_of_a_password_cannot_be_guessed_without_the_key(auth: Auth) -> None:
    auth.act_as("", key="signing up")
    await auth.peer.call(auth.stub.Register, REGISTRATION)
    async with auth.database.system_transaction() as session:
        (kept,) = await session.scalars(text("SELECT request_hash FROM idempotency"))
    assert bytes(kept) != sha256(REGISTRATION.SerializeToString(deterministic=True)).digest()


async def test_asking_to_be_looked_at_is_answered_again_as_it_was(auth: Auth) -> None:
    await auth.register()
    token = (await auth.login()).access_token
    compliance = ComplianceServiceStub(auth.peer.channel)
    auth.act_as(token, key="kyc")
    first = await auth.peer.call(compliance.SubmitKyc, compliance_pb2.SubmitKycRequest())
    again = await auth.peer.call_replayable(compliance.SubmitKyc, compliance_pb2.SubmitKycRequest())
    assert again == (first, True)
