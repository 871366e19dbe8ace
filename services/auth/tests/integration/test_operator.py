"""The first operator, from the settings."""

import asyncio

import pytest

from quantmesh.api.auth.v1 import auth_pb2 as pb
from quantmesh.auth.adapters.operator import ensure_operator
from quantmesh.auth.adapters.store import Store
from quantmesh.chassis.errors import InvalidInput, Unauthenticated
from quantmesh.chassis.sql import text

from .conftest import PASSWORD, Auth
from .test_keys import exchange

EMAIL, SECRET, NEXT_SECRET = "op@example.com", "harbour-quilt-lantern-4", "meadow-copper-orbit-11"


async def seed(auth: Auth, password: str = SECRET) -> None:
    await ensure_operator(auth.database, auth.hasher, auth.cache, auth.clock, EMAIL, password)


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
    # Also where the broker is away, which would tell the edges.
    session_id = (await auth.verifier.verify(early.access_token)).session_id
    for ended in (session_id, f"key:{made.api_key.id}"):
        assert await auth.redis.exists(f"auth:revoked:{ended}")
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


async def sessions(auth: Auth) -> int:
    async with auth.database.system_transaction() as session:
        return int(await session.scalar(text("SELECT count(*) FROM session WHERE revoked_at IS NULL")) or 0)


async def test_a_login_by_the_former_password_that_was_checked_already_is_refused(
    auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seed(auth)
    verify = auth.hasher.verify

    async def verify_and_replace(password_hash: str, password: str) -> bool:
        right = await verify(password_hash, password)
        monkeypatch.setattr(auth.hasher, "verify", verify)
        await seed(auth, NEXT_SECRET)
        return right

    monkeypatch.setattr(auth.hasher, "verify", verify_and_replace)
    with pytest.raises(Unauthenticated):
        await auth.login(EMAIL, SECRET)
    assert await sessions(auth) == 0
    assert (await auth.login(EMAIL, NEXT_SECRET)).access_token


async def test_a_login_waits_for_a_password_that_is_being_replaced(auth: Auth) -> None:
    await seed(auth)
    next_hash = await auth.hasher.hash(NEXT_SECRET)
    async with auth.database.system_transaction() as transaction:
        store = Store(transaction)
        found = await store.find_credentials(EMAIL)
        assert found is not None
        await store.set_password_hash(found.user.id, next_hash)
        logging_in = asyncio.create_task(auth.login(EMAIL, SECRET))
        finished, _ = await asyncio.wait({logging_in}, timeout=1.0)
        assert not finished
    with pytest.raises(Unauthenticated):
        await logging_in
    assert await sessions(auth) == 0
