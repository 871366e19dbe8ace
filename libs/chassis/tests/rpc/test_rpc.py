"""Calls between two services: identity, access, errors, deadlines and the breaker, over a real channel."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from jwt.algorithms import OKPAlgorithm

from quantmesh.api.common.v1 import job_pb2, job_pb2_grpc
from quantmesh.chassis.context import CallContext, current_call, current_caller, set_call
from quantmesh.chassis.errors import (
    KINDS,
    NotFound,
    PermissionDenied,
    QuantmeshError,
    Unauthenticated,
    Unavailable,
    Violation,
    kind_of,
)
from quantmesh.chassis.identity import TokenVerifier, public, requires
from quantmesh.chassis.rpc import Peer, open_channel
from quantmesh.chassis.rpc.breaker import Breaker
from quantmesh.chassis.rpc.keys import JwksKeys, parse_jwks
from quantmesh.chassis.rpc.server import RpcServer, UndeclaredAccessError
from quantmesh.local.network import free_port

from .tokens import KEY, USER, OneKey, token

JOBS = job_pb2.DESCRIPTOR.services_by_name["JobService"]


class Jobs(job_pb2_grpc.JobServiceServicer):
    """Answers with what it sees of the caller, or raises what it was given."""

    def __init__(self, error: BaseException | None = None, delay_seconds: float = 0.0) -> None:
        self.error = error
        self.delay_seconds = delay_seconds
        self.calls = 0

    @requires("jobs:read")
    async def GetJob(self, request: job_pb2.GetJobRequest, context: object) -> job_pb2.GetJobResponse:
        self.calls += 1
        await asyncio.sleep(self.delay_seconds)
        if self.error is not None:
            raise self.error
        call = current_call()
        seen = f"{current_caller().owner_id} {call.request_id} {call.idempotency_key}"
        return job_pb2.GetJobResponse(job=job_pb2.Job(id=request.id, message=seen))

    @public
    async def CancelJob(self, request: job_pb2.CancelJobRequest, context: object) -> job_pb2.CancelJobResponse:
        return job_pb2.CancelJobResponse(job=job_pb2.Job(id=request.id))


@asynccontextmanager
async def serving(jobs: object, **options: object) -> AsyncIterator[tuple[Peer, job_pb2_grpc.JobServiceStub]]:
    server = RpcServer("127.0.0.1:0", TokenVerifier(OneKey()))
    server.add_servicer(job_pb2_grpc.add_JobServiceServicer_to_server, jobs)
    await server.start()
    given = {"timeout_seconds": 30.0, **options}
    peer = Peer("jobs", open_channel(f"127.0.0.1:{server.port}", [JOBS]), **given)  # type: ignore[arg-type]
    try:
        yield peer, job_pb2_grpc.JobServiceStub(peer.channel)
    finally:
        await peer.close()
        await server.stop(0)


def call_as(bearer: str, **context: object) -> None:
    """Act as an edge that has received a call with this token."""
    from quantmesh.chassis.context import Caller

    caller = Caller("someone", frozenset(), frozenset(), "", "", bearer, 0.0, None)
    set_call(CallContext(caller=caller, **context))  # type: ignore[arg-type]


async def test_identity_request_id_and_idempotency_key_reach_the_handler() -> None:
    async with serving(Jobs()) as (peer, stub):
        call_as(token(), request_id="r-1", idempotency_key="key-1")
        answer = await peer.call(stub.GetJob, job_pb2.GetJobRequest(id="j"))
    assert answer.job.message == f"{USER} r-1 key-1"


async def test_a_call_without_a_token_is_unauthenticated_and_a_public_method_needs_none() -> None:
    async with serving(Jobs()) as (peer, stub):
        with pytest.raises(Unauthenticated):
            await peer.call(stub.GetJob, job_pb2.GetJobRequest(id="j"))
        assert (await peer.call(stub.CancelJob, job_pb2.CancelJobRequest(id="j"))).job.id == "j"


async def test_a_missing_scope_is_named() -> None:
    async with serving(Jobs()) as (peer, stub):
        call_as(token(scope="market:read"))
        with pytest.raises(PermissionDenied, match="jobs:read") as caught:
            await peer.call(stub.GetJob, job_pb2.GetJobRequest(id="j"))
    assert caught.value.metadata["required_scope"] == "jobs:read"


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_error_arrives_as_it_was_raised(kind: type[QuantmeshError]) -> None:
    leaf = type("Leaf", (kind,), {"problem": "its-own-slug"})
    raised = leaf(
        "Cash is 10.00, 12.00 were asked for.",
        violations=[Violation("amount", "at most 10.00")],
        retry_after_seconds=1.5,
        metadata={"shortfall": "2.00"},
    )
    async with serving(Jobs(error=raised)) as (peer, stub):
        call_as(token())
        with pytest.raises(kind) as caught:
            await peer.call(stub.GetJob, job_pb2.GetJobRequest(id="j"))
    got = caught.value
    assert kind_of(got) is kind
    assert (got.problem, got.detail, got.violations) == (raised.problem, raised.detail, raised.violations)
    assert (got.retry_after_seconds, got.metadata) == (1.5, {"shortfall": "2.00"})


async def test_a_bug_is_internal_and_tells_nothing_of_itself() -> None:
    async with serving(Jobs(error=ZeroDivisionError("secret detail"))) as (peer, stub):
        call_as(token())
        with pytest.raises(QuantmeshError) as caught:
            await peer.call(stub.GetJob, job_pb2.GetJobRequest(id="j"))
    assert caught.value.problem == "internal"
    assert "secret" not in caught.value.detail


async def test_the_callers_deadline_bounds_the_call() -> None:
    async with serving(Jobs(delay_seconds=60.0)) as (peer, stub):
        call_as(token(), deadline=time.monotonic() + 0.2)
        started = time.monotonic()
        with pytest.raises(Unavailable):
            await peer.call(stub.GetJob, job_pb2.GetJobRequest(id="j"))
    assert time.monotonic() - started < 30.0


async def test_a_read_is_retried_while_the_peer_is_unavailable() -> None:
    jobs = Jobs(error=Unavailable("busy"))
    async with serving(jobs) as (peer, stub):
        call_as(token())
        with pytest.raises(Unavailable, match="busy"):
            await peer.call(stub.GetJob, job_pb2.GetJobRequest(id="j"))
    assert jobs.calls == 3


async def test_the_breaker_opens_after_failures_in_a_row_and_a_probe_closes_it() -> None:
    now = [0.0]
    breaker = Breaker("jobs", threshold=3, probe_seconds=1.0, monotonic=lambda: now[0])
    peer = Peer("jobs", open_channel("127.0.0.1:1", []), breaker=breaker, timeout_seconds=1.0)
    stub = job_pb2_grpc.JobServiceStub(peer.channel)
    for _ in range(3):
        with pytest.raises(Unavailable, match="did not answer"):
            await peer.call(stub.GetJob, job_pb2.GetJobRequest(id="j"))
    with pytest.raises(Unavailable, match="3 times in a row"):
        await peer.call(stub.GetJob, job_pb2.GetJobRequest(id="j"))
    await peer.close()
    now[0] = 2.0
    breaker.admit()
    breaker.succeeded()
    assert not breaker.is_open


async def test_a_peer_that_was_away_and_says_that_it_serves_again_is_called_before_the_next_probe() -> None:
    address = f"127.0.0.1:{free_port()}"
    breaker = Breaker("jobs", threshold=1, probe_seconds=3600.0)
    peer = Peer("jobs", open_channel(address, []), breaker=breaker, timeout_seconds=30.0)
    stub = job_pb2_grpc.JobServiceStub(peer.channel)
    with pytest.raises(Unavailable, match="did not answer"):
        await peer.call(stub.CancelJob, job_pb2.CancelJobRequest(id="j"))
    with pytest.raises(Unavailable, match="1 times in a row"):
        await peer.call(stub.CancelJob, job_pb2.CancelJobRequest(id="j"))
    server = RpcServer(address, TokenVerifier(OneKey()))
    server.add_servicer(job_pb2_grpc.add_JobServiceServicer_to_server, Jobs())
    await server.start()
    async with asyncio.timeout(30):
        await peer.channel.channel_ready()
    assert (await peer.call(stub.CancelJob, job_pb2.CancelJobRequest(id="j"))).job.id == "j"
    await peer.close()
    await server.stop(0)


async def test_a_peer_that_is_there_and_silent_is_asked_again_with_the_next_probe() -> None:
    breaker = Breaker("jobs", threshold=1, probe_seconds=3600.0)
    async with serving(Jobs(delay_seconds=3600.0), breaker=breaker, timeout_seconds=0.2) as (peer, stub):
        call_as(token())
        async with asyncio.timeout(30):
            await peer.channel.channel_ready()
        with pytest.raises(Unavailable, match="did not answer"):
            await peer.call(stub.GetJob, job_pb2.GetJobRequest(id="j"))
        assert peer.is_connected()
        with pytest.raises(Unavailable, match="1 times in a row"):
            await peer.call(stub.GetJob, job_pb2.GetJobRequest(id="j"))


async def test_an_answer_that_refuses_does_not_open_the_breaker() -> None:
    async with serving(Jobs(error=NotFound("no such job")), breaker=(breaker := Breaker("jobs", threshold=1))) as (
        peer,
        stub,
    ):
        call_as(token())
        with pytest.raises(NotFound):
            await peer.call(stub.GetJob, job_pb2.GetJobRequest(id="j"))
    assert not breaker.is_open


async def test_calls_past_the_bulkhead_fail_at_once() -> None:
    jobs = Jobs(delay_seconds=3600.0)
    async with serving(jobs, max_in_flight=1) as (peer, stub):
        call_as(token())
        first = asyncio.create_task(peer.call(stub.GetJob, job_pb2.GetJobRequest(id="j")))
        async with asyncio.timeout(30):
            while not jobs.calls:  # noqa: ASYNC110  the server's side of the call
                await asyncio.sleep(0.01)
            with pytest.raises(Unavailable, match="in flight"):
                await peer.call(stub.GetJob, job_pb2.GetJobRequest(id="j"))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_a_method_without_declared_access_keeps_the_server_from_starting() -> None:
    class Careless(job_pb2_grpc.JobServiceServicer):
        @public
        async def GetJob(self, request: job_pb2.GetJobRequest, context: object) -> job_pb2.GetJobResponse:
            return job_pb2.GetJobResponse()

    server = RpcServer("127.0.0.1:0", TokenVerifier(OneKey()))
    with pytest.raises(UndeclaredAccessError, match="CancelJob"):
        server.add_servicer(job_pb2_grpc.add_JobServiceServicer_to_server, Careless())  # type: ignore[abstract]
    await server.stop(0)


async def test_an_owner_is_taken_from_metadata_for_a_service_token_alone() -> None:
    verifier = TokenVerifier(OneKey())
    other = uuid.uuid4()
    assert (await verifier.verify(token(subject="svc:risk"), owner_id=str(other))).user_id == other
    assert (await verifier.verify(token(), owner_id=str(other))).user_id == USER
    with pytest.raises(PermissionDenied):
        _ = (await verifier.verify(token(subject="svc:risk"))).user_id


async def test_an_unknown_key_id_is_asked_for_once_in_a_while_only() -> None:
    asked = 0

    async def fetch() -> str:
        nonlocal asked
        asked += 1
        entry = json.loads(OKPAlgorithm.to_jwk(KEY.public_key())) | {"kid": "k1"}
        return json.dumps({"keys": [entry, {"kty": "RSA", "kid": "r"}]})

    keys = JwksKeys(fetch, floor_seconds=3600.0)
    assert await keys.key("k1") is not None
    for _ in range(10):
        assert await keys.key("forged") is None
    assert asked == 1
    assert set(parse_jwks(await fetch())) == {"k1"}
