"""Credentials: an API key is exchanged once while it is good, and what was revoked is not let in again."""

from typing import Any
from uuid import uuid4

import pytest

from quantmesh.api.auth.v1 import auth_pb2, events_pb2
from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.context import Caller
from quantmesh.chassis.errors import Unauthenticated
from quantmesh.gateway.adapters.credentials import Credentials

from .edges import ADA, caller
from .fakes import FakePeer

KEY = "qmk_secret"


class FakeVerifier:
    """Every token is Ada's, in the session that the token names."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    async def verify(self, token: str) -> Caller:
        found = caller()
        subject = "svc:portfolio" if token == "service" else found.subject
        return Caller(
            subject, found.scopes, found.roles, found.tier, f"session-{token}", token, found.expires_at, found.owner_id
        )

    def forget_session(self, session_id: str) -> None:
        self.forgotten.append(session_id)


class FakeCache:
    """Redis as auth left it."""

    def __init__(self) -> None:
        self.marks: set[str] = set()
        self.asked: list[str] = []

    async def get(self, key: str) -> bytes | None:
        self.asked.append(key)
        return b"1" if key in self.marks else None


class Desk:
    def __init__(self, expires_in: int = 60) -> None:
        self.auth = FakePeer(
            ExchangeApiKey=auth_pb2.ExchangeApiKeyResponse(token="of-key", expires_in=expires_in, api_key_id="key-1")
        )
        self.verifier = FakeVerifier()
        verifier: Any = self.verifier
        auth: Any = self.auth
        self.ended = FakeCache()
        ended: Any = self.ended
        self.credentials = Credentials(verifier, auth, ended)

    async def revoke(self, **what: str) -> None:
        event = events_pb2.CredentialRevoked(user_id=str(ADA), **what)
        await self.credentials.handle(
            EventEnvelope(event_id=str(uuid4()), type=event.DESCRIPTOR.full_name, payload=event.SerializeToString())
        )


async def test_a_key_is_exchanged_once_while_its_token_is_good() -> None:
    desk = Desk()
    assert not desk.credentials.is_known_key(KEY)
    callers = [await desk.credentials.of_api_key(KEY) for _ in range(3)]
    assert {found.token for found in callers} == {"of-key"}
    assert len(desk.auth.asked) == 1
    assert desk.credentials.is_known_key(KEY)


async def test_a_token_about_to_expire_is_exchanged_again() -> None:
    desk = Desk(expires_in=10)
    await desk.credentials.of_api_key(KEY)
    await desk.credentials.of_api_key(KEY)
    assert len(desk.auth.asked) == 2


async def test_a_revoked_key_is_out_though_its_token_would_still_be_good() -> None:
    desk = Desk()
    ended: list[str] = []
    desk.credentials.on_revoked = ended.append
    await desk.credentials.of_api_key(KEY)
    await desk.revoke(api_key_id="key-1")
    with pytest.raises(Unauthenticated):
        await desk.credentials.of_api_key(KEY)
    assert ended == ["key:key-1"]


async def test_a_revoked_session_is_out_and_others_are_not() -> None:
    desk = Desk()
    await desk.revoke(session_id="session-stolen")
    with pytest.raises(Unauthenticated):
        await desk.credentials.of_bearer("stolen")
    assert (await desk.credentials.of_bearer("own")).session_id == "session-own"
    assert desk.verifier.forgotten == ["session-stolen"]


async def test_a_key_that_auth_has_marked_as_revoked_is_out_though_no_broker_told() -> None:
    desk = Desk()
    await desk.credentials.of_api_key(KEY)
    desk.ended.marks.add("key:key-1")
    desk.credentials._looked_up.clear()
    with pytest.raises(Unauthenticated):
        await desk.credentials.of_api_key(KEY)


async def test_a_session_that_auth_has_marked_as_ended_is_out_though_no_broker_told() -> None:
    desk = Desk()
    desk.ended.marks.add("session-stolen")
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await desk.credentials.of_bearer("stolen")


async def test_the_mark_of_a_live_session_is_not_looked_up_on_every_request() -> None:
    desk = Desk()
    for _ in range(3):
        await desk.credentials.of_bearer("own")
    assert desk.ended.asked == ["session-own"]


async def test_a_services_token_is_no_token_at_the_edge() -> None:
    with pytest.raises(Unauthenticated):
        await Desk().credentials.of_bearer("service")


@pytest.mark.parametrize("secret", ["", "x" * 300, "qmk_\u00e9"])
async def test_what_cannot_be_a_key_is_not_asked_about(secret: str) -> None:
    desk = Desk()
    with pytest.raises(Unauthenticated):
        await desk.credentials.of_api_key(secret)
    assert desk.auth.asked == []


async def test_a_message_may_carry_either() -> None:
    desk = Desk()
    assert (await desk.credentials.of_text(KEY)).token == "of-key"
    assert (await desk.credentials.of_text("plain")).token == "plain"
