"""The first operator, from the settings."""

import pytest

from quantmesh.api.auth.v1 import auth_pb2 as pb
from quantmesh.auth.adapters.operator import ensure_operator
from quantmesh.chassis.errors import InvalidInput, Unauthenticated
from quantmesh.chassis.sql import text

from .conftest import PASSWORD, Auth
from .test_keys import exchange

EMAIL, SECRET, NEXT_SECRET = "op@example.com", "harbour-quilt-lantern-4", "meadow-copper-orbit-11"


async def seed(auth: Auth, password: str = SECRET) -> None:
    await ensure_operator(auth.database, auth.hasher, auth.clock, EMAIL, password)


async def told(auth: Auth) -> int:
    async with auth.database.system_transaction() as session:
        subject = "auth.credential.revoked"
        return int(await session.scalar(text("SELECT count(*) FROM outbox WHERE subject = :s"), {"s": subject}) or 0)


async def test_the_operator_is_there_once_with_the_password_of_the_settings(auth: Auth) -> None:
    for _ in range(2):
        await seed(auth)
    tokens = await auth.login(EMAIL, SECRET)
    assert (await auth.verifier.verify(tokens.access_token)).roles == {"operator"}
    with pytest.raises(InvalidInput):
        await seed(auth, "password")


async def test_who_opened_the_operators_account_in_advance_is_out_of_it(auth: Auth) -> None:
    await auth.register(EMAIL)
    early = await auth.login(EMAIL)
    auth.act_as(early.access_token)
    request = pb.CreateApiKeyRequest(name="bot", all_scopes=True)
    made = await auth.peer.call(auth.stub.CreateApiKey, request)
    await seed(auth)
    with pytest.raises(Unauthenticated):
        await auth.refresh(early.refresh_token)
    with pytest.raises(Unauthenticated):
        await auth.login(EMAIL, PASSWORD)
    with pytest.raises(Unauthenticated):
        await exchange(auth, made.secret)
    assert await told(auth) == 2
    assert (await auth.login(EMAIL, SECRET)).access_token


async def test_another_password_ends_the_sessions_of_the_last_one_and_leaves_the_keys(auth: Auth) -> None:
    await seed(auth)
    before = await auth.login(EMAIL, SECRET)
    auth.act_as(before.access_token)
    made = await auth.peer.call(auth.stub.CreateApiKey, pb.CreateApiKeyRequest(name="bot", all_scopes=True))
    await seed(auth)
    before = await auth.refresh(before.refresh_token)
    await seed(auth, NEXT_SECRET)
    with pytest.raises(Unauthenticated):
        await auth.refresh(before.refresh_token)
    assert (await exchange(auth, made.secret)).token
    assert await told(auth) == 1
