"""Streams that end: slow readers, ended sessions, clients that leave."""

import asyncio

from quantmesh.api.market.v1 import market_pb2

from .edges import ADA, Edge, caller, make_edge
from .streams import CHANNEL, Account, StreamClient, tick


async def test_who_does_not_read_is_told_and_closed_with_4008() -> None:
    edge = make_edge(slow_seconds=0.2)
    edge.peers["market"].answers["GetAsset"] = market_pb2.GetAssetResponse()
    watching = asyncio.create_task(edge.stream.watch())
    try:
        async with StreamClient(edge, Authorization="Bearer ada") as client:
            await client.ask(op="subscribe", channels=["quotes.AAPL"])
            client.stop_reading()
            await tick(edge, "73.35")
            await asyncio.sleep(0.01)
            await tick(edge, "73.36")
            async with asyncio.timeout(30):
                while not any(each.is_ending for each in edge.stream._connections):  # noqa: ASYNC110  nobody is told
                    await asyncio.sleep(0.01)
            # At its next look the watch would cut what has waited for twice as long.
            edge.stream._slow_seconds = 60.0
            client.read_again()
            heard = [await client.hear()]
            while client.closed is None:
                heard.append(await client.hear())
            assert client.closed["code"] == 4008
            assert heard[-2]["problem"]["type"] == "/problems/slow-reader"
    finally:
        watching.cancel()


async def test_a_revoked_session_ends_its_streams(edge: Edge, client: StreamClient) -> None:
    await client.ask(op="ping")
    edge.stream.revoke(f"session-{ADA}")
    assert (await client.hear())["problem"]["status"] == 401
    assert (await client.hear())["code"] == 4001


async def test_an_expired_token_ends_the_stream() -> None:
    edge = make_edge(late=caller(lives=-1.0))
    watching = asyncio.create_task(edge.stream.watch())
    try:
        async with StreamClient(edge, Authorization="Bearer late") as client:
            assert (await client.hear())["problem"]["status"] == 401
            assert (await client.hear())["code"] == 4001
    finally:
        watching.cancel()


async def test_events_for_a_client_that_is_leaving_are_dropped_quietly(edge: Edge) -> None:
    edge.peers["market"].answers["GetAsset"] = market_pb2.GetAssetResponse()
    account = Account(edge)
    client = await StreamClient(edge, Authorization="Bearer ada").__aenter__()
    await client.ask(op="subscribe", channels=["quotes.AAPL", CHANNEL])
    leaving = asyncio.create_task(client.__aexit__())
    while not leaving.done():
        await tick(edge, "73.35")
        await account.announce(account.record())
        await asyncio.sleep(0)
    assert not edge.quotes.topic("AAPL").readers


async def test_who_asks_and_does_not_read_the_answers_is_not_heard_meanwhile(client: StreamClient) -> None:
    """Else what waits for them would grow as fast as they ask."""
    await client.ask(op="ping")
    client.stop_reading()
    for _ in range(20):
        client.say(op="subscribe", channels=[f"weather.{place}" for place in range(200)])
    await asyncio.sleep(0.5)
    assert client.unheard > 10
    client.read_again()
    assert {(await client.hear())["problem"]["status"] for _ in range(20 * 200)} == {404}
