"""A service that asks another in its own name, and the token that it does so with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from quantmesh.api.auth.v1 import auth_pb2
from quantmesh.api.common.v1 import job_pb2, job_pb2_grpc
from quantmesh.chassis.context import CallContext, Caller, current_call, current_caller, set_call
from quantmesh.chassis.errors import PermissionDenied, Unavailable
from quantmesh.chassis.identity import TokenVerifier, requires
from quantmesh.chassis.rpc import Peer, open_channel
from quantmesh.chassis.rpc.keys import ServiceTokens
from quantmesh.chassis.rpc.server import RpcServer

from .tokens import USER, OneKey, token


class Jobs(job_pb2_grpc.JobServiceServicer):
    """Answers whom it sees; cancelling passes the question on with the identity that it came with."""

    def __init__(self) -> None:
        self.next: Peer | None = None

    @requires("jobs:read")
    async def GetJob(self, request: job_pb2.GetJobRequest, context: object) -> job_pb2.GetJobResponse:
        caller = current_caller()
        seen = f"{caller.subject} for {caller.owner_id}"
        return job_pb2.GetJobResponse(job=job_pb2.Job(id=current_call().request_id, message=seen))

    @requires("")
    async def CancelJob(self, request: job_pb2.CancelJobRequest, context: object) -> job_pb2.CancelJobResponse:
        assert self.next is not None
        stub = job_pb2_grpc.JobServiceStub(self.next.channel)
        answer = await self.next.call(stub.GetJob, job_pb2.GetJobRequest(id=request.id))
        return job_pb2.CancelJobResponse(job=answer.job)


class Tokens:
    async def token(self) -> str:
        return token(scope="", subject="svc:risk")


@asynccontextmanager
async def serving() -> AsyncIterator[Peer]:
    jobs = Jobs()
    server = RpcServer("127.0.0.1:0", TokenVerifier(OneKey()))
    server.add_servicer(job_pb2_grpc.add_JobServiceServicer_to_server, jobs)
    await server.start()
    jobs.next = peer = Peer("jobs", open_channel(f"127.0.0.1:{server.port}", []), tokens=Tokens())
    try:
        yield peer
    finally:
        await peer.close()
        await server.stop(0)


def call_as_user(scope: str = "") -> None:
    caller = Caller(str(USER), frozenset(), frozenset(), "", "", token(scope=scope), 0.0, USER)
    set_call(CallContext(caller=caller, request_id="r-1"))


async def asked(peer: Peer) -> job_pb2.Job:
    stub = job_pb2_grpc.JobServiceStub(peer.channel)
    return (await peer.call(stub.GetJob, job_pb2.GetJobRequest(id="j"))).job


async def test_a_service_that_asks_in_its_own_name_needs_none_of_its_callers_scopes() -> None:
    async with serving() as peer:
        call_as_user()
        with pytest.raises(PermissionDenied):
            await asked(peer)
        job = await asked(peer.in_own_name())
    assert (job.message, job.id) == (f"svc:risk for {USER}", "r-1")


async def test_asking_in_ones_own_name_changes_nothing_for_what_is_asked_otherwise() -> None:
    async with serving() as peer:
        call_as_user(scope="jobs:read")
        peer.in_own_name()
        assert (await asked(peer)).message == f"{USER} for {USER}"


async def test_the_owner_stays_known_to_whoever_a_service_is_passed_on_to() -> None:
    async with serving() as peer:
        call_as_user()
        own = peer.in_own_name()
        stub = job_pb2_grpc.JobServiceStub(peer.channel)
        answer = await own.call(stub.CancelJob, job_pb2.CancelJobRequest(id="j"))
    assert answer.job.message == f"svc:risk for {USER}"


class Auth(Peer):
    """Gives tokens of five minutes while it is there."""

    def __init__(self) -> None:
        super().__init__("auth", open_channel("127.0.0.1:1", []))
        self.is_away = False
        self.asked = 0
        self.given = 0
        self._speaks = asyncio.Event()
        self._speaks.set()

    @asynccontextmanager
    async def silent(self) -> AsyncIterator[None]:
        self._speaks.clear()
        yield
        self._speaks.set()

    async def call(self, method: object, request: object, *, timeout_seconds: float | None = None) -> Any:
        self.asked += 1
        if self.is_away:
            msg = "away"
            raise Unavailable(msg, retry_after_seconds=1.0)
        await self._speaks.wait()
        self.given += 1
        return auth_pb2.IssueServiceTokenResponse(token=f"token-{self.given}", expires_in=300)


async def test_a_token_that_cannot_be_renewed_serves_until_it_expires() -> None:
    now = 1000.0
    auth = Auth()
    tokens = ServiceTokens(auth, "risk", "secret", monotonic=lambda: now)
    assert await tokens.token() == "token-1"
    now, auth.is_away = 1280.0, True
    assert await tokens.token() == "token-1"
    now = 1299.0
    with pytest.raises(Unavailable):
        await tokens.token()
    auth.is_away = False
    assert await tokens.token() == "token-2"
    await auth.close()


async def test_an_auth_that_is_away_is_named_and_asked_for_the_next_token_once_a_second_alone() -> None:
    now = 1000.0
    auth = Auth()
    tokens = ServiceTokens(auth, "risk", "secret", monotonic=lambda: now)
    await tokens.token()
    auth.is_away = True
    with capture_logs() as logged:
        for moment in (1280.0, 1280.9, 1281.0):
            now = moment
            for _ in range(5):
                assert await tokens.token() == "token-1"
                await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert auth.asked == 3
    assert [(each["log_level"], each["what"]) for each in logged] == [("warning", "the service's own token")] * 2
    await auth.close()


async def test_a_token_is_asked_for_once_for_all_and_waited_for_only_where_there_is_none() -> None:
    """So that an auth that is silent holds calls up as long as one question, and not one after the other."""
    now = 1000.0
    auth = Auth()
    tokens = ServiceTokens(auth, "risk", "secret", monotonic=lambda: now)
    async with auth.silent():
        waiting = [asyncio.create_task(tokens.token()) for _ in range(10)]
        await asyncio.sleep(0.01)
        waiting[0].cancel()
    assert await asyncio.gather(*waiting[1:]) == ["token-1"] * 9
    now = 1280.0
    async with auth.silent():
        assert await asyncio.wait_for(tokens.token(), 30) == "token-1"
    await asyncio.sleep(0)
    assert await tokens.token() == "token-2"
    await auth.close()
