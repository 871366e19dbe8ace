"""How many streams one account may have, or one address that has not said whose it is."""

from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from quantmesh.api.common.v1 import job_pb2
from quantmesh.gateway.core.errors import TooManyStreams
from quantmesh.gateway.core.stream.places import Places

from .edges import Edge, caller, make_edge
from .streams import CHANNEL, Account, StreamClient


@pytest.fixture
def edge() -> Edge:
    return make_edge(streams=2, bob=caller(uuid4()), key=caller())


async def test_an_account_takes_no_more_than_its_part_of_the_streams(edge: Edge) -> None:
    async with AsyncExitStack() as opened:
        first = await opened.enter_async_context(StreamClient(edge, Authorization="Bearer ada"))
        await opened.enter_async_context(StreamClient(edge, Authorization="Bearer key"))
        third = await opened.enter_async_context(StreamClient(edge, Authorization="Bearer ada"))
        assert third.refused is not None
        assert third.refused["status"] == 429
        assert dict(third.refused["headers"])[b"retry-after"] == b"20"
        assert await first.ask(op="ping") == {"op": "pong"}
        bob = await opened.enter_async_context(StreamClient(edge, Authorization="Bearer bob"))
        assert await bob.ask(op="ping") == {"op": "pong"}


async def test_who_says_later_whose_the_stream_is_takes_no_more_either(edge: Edge) -> None:
    async with StreamClient(edge) as first, StreamClient(edge, Authorization="Bearer ada"):
        assert (await first.ask(op="auth", token="ada"))["op"] == "authenticated"
        assert (await first.ask(op="auth", token="ada"))["op"] == "authenticated"
        async with StreamClient(edge) as third:
            refused = await third.ask(op="auth", token="ada")
            assert refused["problem"]["type"] == "/problems/too-many-streams"
            assert refused["problem"]["detail"].startswith("2 streams")
            assert (await third.ask(op="auth", token="bob"))["op"] == "authenticated"


async def test_an_address_keeps_few_streams_of_nobody_and_loses_them_to_who_says_who_he_is(edge: Edge) -> None:
    async with StreamClient(edge) as first, StreamClient(edge):
        async with StreamClient(edge) as third:
            assert third.refused is not None
            assert third.refused["status"] == 429
        await first.ask(op="auth", token="bob")
        async with StreamClient(edge) as third:
            assert (await third.ask(op="auth", token="ada"))["op"] == "authenticated"


async def test_what_ended_is_forgotten(edge: Edge) -> None:
    for _ in range(3):
        async with StreamClient(edge) as first, StreamClient(edge, Authorization="Bearer ada") as second:
            assert (await first.ask(op="auth", token="ada"))["op"] == "authenticated"
            assert (await second.ask(op="ping"))["op"] == "pong"


async def test_an_account_follows_only_so_many_portfolios_and_jobs_on_all_its_streams() -> None:
    edge = make_edge(followed=2)
    account = Account(edge, length=5)
    job = f"prediction-{uuid4()}"
    running = job_pb2.Job(id=job, status=job_pb2.JOB_STATUS_RUNNING)
    edge.peers["prediction"].answers["GetJob"] = job_pb2.GetJobResponse(job=running)
    async with StreamClient(edge, Authorization="Bearer ada") as first:
        await first.ask(op="subscribe", channels=[f"jobs.{job}"])
        async with StreamClient(edge, Authorization="Bearer ada") as second:
            assert (await second.ask(op="subscribe", channels=[CHANNEL]))["op"] == "subscribed"
            refused = await first.ask(op="subscribe", channels=[CHANNEL])
            while "seq" in refused:
                refused = await first.hear()
            assert refused["problem"]["type"] == "/problems/too-many-followed"
        assert (await first.ask(op="subscribe", channels=[CHANNEL]))["op"] == "subscribed"
        await account.announce(account.record())
        assert (await first.hear())["seq"] == 6


def test_a_place_is_had_by_one_holder_at_a_time() -> None:
    places = Places(1, TooManyStreams)
    places.take("192.0.2.1")
    places.move("192.0.2.1", "ada")
    places.take("192.0.2.1")
    with pytest.raises(TooManyStreams):
        places.move("192.0.2.1", "ada")
    with pytest.raises(TooManyStreams):
        places.take("192.0.2.1")
    places.leave("ada")
    places.move("192.0.2.1", "ada")
