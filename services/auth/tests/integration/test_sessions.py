"""Accounts and sessions, end to end."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import bcrypt
import pytest

from quantmesh.api.auth.v1 import auth_pb2 as pb
from quantmesh.api.common.v1.common_pb2 import PageRequest
from quantmesh.chassis.errors import AlreadyExists, InvalidInput, NotFound, TooManyRequests, Unauthenticated
from quantmesh.chassis.sql import text

from .conftest import PASSWORD, Auth


async def test_a_registered_user_logs_in_and_is_known(auth: Auth) -> None:
    user = await auth.register("Ada@Example.com")
    tokens = await auth.login("ada@example.COM")
    auth.act_as(tokens.access_token)
    me = (await auth.peer.call(auth.stub.GetMe, pb.GetMeRequest())).user
    assert (me.id, me.email, list(me.roles), me.tier) == (user.id, "ada@example.com", ["investor"], "free")
    assert tokens.expires_in == 300


async def test_an_email_registers_once_whoever_races(auth: Auth) -> None:
    outcomes = await asyncio.gather(*(auth.register() for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(outcome, pb.User) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AlreadyExists) for outcome in outcomes) == 3


async def test_a_weak_password_is_refused_by_field(auth: Auth) -> None:
    with pytest.raises(InvalidInput) as caught:
        await auth.register(password="password1234")
    assert caught.value.problem == "weak-password"
    assert caught.value.violations[0].field == "password"


async def test_wrong_password_and_unknown_account_answer_alike(auth: Auth) -> None:
    await auth.register()
    answers = []
    for email in ("ada@example.com", "nobody@example.com", "no address"):
        with pytest.raises(Unauthenticated) as caught:
            await auth.login(email, "wrong-password-here")
        answers.append((caught.value.problem, caught.value.detail))
    assert len(set(answers)) == 1


async def test_a_refresh_token_rotates_and_racing_tabs_share_the_successor(auth: Auth) -> None:
    await auth.register()
    first = await auth.login()
    results = await asyncio.gather(*(auth.refresh(first.refresh_token) for _ in range(5)))
    assert len({result.refresh_token for result in results}) == 1
    assert results[0].refresh_token != first.refresh_token
    await auth.refresh(results[0].refresh_token)


async def test_a_reused_refresh_token_revokes_the_family(auth: Auth) -> None:
    await auth.register()
    first = await auth.login()
    second = await auth.refresh(first.refresh_token)
    auth.clock.offset = timedelta(seconds=30)
    with pytest.raises(Unauthenticated) as caught:
        await auth.refresh(first.refresh_token)
    assert caught.value.problem == "refresh-token-reused"
    with pytest.raises(Unauthenticated):
        await auth.refresh(second.refresh_token)
    async with auth.database.system_transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM outbox WHERE subject = 'auth.credential.revoked'")) == 1


async def test_logout_ends_the_session_for_every_edge(auth: Auth) -> None:
    await auth.register()
    tokens = await auth.login()
    session_id = (await auth.verifier.verify(tokens.access_token)).session_id
    assert await auth.redis.exists(f"auth:session:{session_id}")
    auth.act_as(tokens.access_token)
    await auth.peer.call(auth.stub.Logout, pb.LogoutRequest())
    assert not await auth.redis.exists(f"auth:session:{session_id}")
    assert await auth.redis.exists(f"auth:revoked:{session_id}")
    with pytest.raises(Unauthenticated):
        await auth.refresh(tokens.refresh_token)


async def test_a_session_is_seen_and_revoked_by_its_owner_alone(auth: Auth) -> None:
    await auth.register("ada@example.com")
    await auth.register("bob@example.com")
    ada, bob = await auth.login("ada@example.com"), await auth.login("bob@example.com")
    auth.act_as(ada.access_token)
    sessions = (await auth.peer.call(auth.stub.ListSessions, pb.ListSessionsRequest())).sessions
    assert [session.current for session in sessions] == [True]
    auth.act_as(bob.access_token)
    for unknown in (sessions[0].id, "not-a-uuid"):
        with pytest.raises(NotFound):
            await auth.peer.call(auth.stub.RevokeSession, pb.RevokeSessionRequest(id=unknown))
    auth.act_as(ada.access_token)
    await auth.peer.call(auth.stub.RevokeSession, pb.RevokeSessionRequest(id=sessions[0].id))
    assert not (await auth.peer.call(auth.stub.ListSessions, pb.ListSessionsRequest())).sessions


async def test_every_session_is_listed_page_by_page(auth: Auth) -> None:
    """Of programs that log in each time and never out there are many."""
    user = await auth.register()
    async with auth.database.system_transaction() as session:
        many = text(
            "INSERT INTO session (id, owner_id, user_agent, ip_address, created_at, last_used_at, expires_at)"
            " SELECT uuidv7(), CAST(:owner AS uuid), '', '', now(), now(), now() + interval '1 day'"
            " FROM generate_series(1, 250)"
        )
        await session.execute(many, {"owner": user.id})
    auth.act_as((await auth.login()).access_token)
    pages: list[Sequence[pb.Session]] = []
    cursor = ""
    while cursor or not pages:
        request = pb.ListSessionsRequest(page=PageRequest(limit=100, cursor=cursor))
        answer = await auth.peer.call(auth.stub.ListSessions, request)
        pages.append(answer.sessions)
        cursor = answer.page.next_cursor
    assert [len(page) for page in pages] == [100, 100, 51]
    assert len({session.id for page in pages for session in page}) == 251
    assert [session.current for page in pages for session in page] == [True] + [False] * 250
    with pytest.raises(InvalidInput) as refused:
        await auth.peer.call(auth.stub.ListSessions, pb.ListSessionsRequest(page=PageRequest(cursor="nonsense")))
    assert refused.value.problem == "invalid-cursor"


async def register_with_bcrypt(auth: Auth) -> None:
    """As an earlier system kept passwords."""
    await auth.register()
    old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    async with auth.database.system_transaction() as session:
        await session.execute(text("UPDATE user_account SET password_hash = :old"), {"old": old})


async def test_a_bcrypt_hash_is_accepted_and_upgraded(auth: Auth) -> None:
    await register_with_bcrypt(auth)
    await auth.login()
    async with auth.database.system_transaction() as session:
        assert str(await session.scalar(text("SELECT password_hash FROM user_account"))).startswith("$argon2id$")
    await auth.login()


async def test_two_who_log_in_at_once_with_a_bcrypt_hash_both_get_in(auth: Auth) -> None:
    await register_with_bcrypt(auth)
    assert len({tokens.refresh_token for tokens in await asyncio.gather(auth.login(), auth.login())}) == 2


async def test_guessing_is_throttled_even_in_parallel_and_the_owner_is_told_how_long(auth: Auth) -> None:
    await auth.register()
    guesses = [auth.login(password=f"wrong-password-{number}") for number in range(8)]
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    throttled = [outcome for outcome in outcomes if isinstance(outcome, TooManyRequests)]
    assert sum(isinstance(outcome, Unauthenticated) for outcome in outcomes) == 3
    assert len(throttled) == 5
    assert throttled[0].retry_after_seconds is not None
    assert throttled[0].retry_after_seconds > 0


async def test_success_forgives_earlier_failures(auth: Auth) -> None:
    await auth.register()
    for _ in range(3):
        for _ in range(2):
            with pytest.raises(Unauthenticated):
                await auth.login(password="wrong-password-here")
        await auth.login()
