"""The edge behind a real uvicorn, fed by a real NATS."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from quantmesh.api.auth.v1.auth_pb2 import GetMeResponse
from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.api.market.v1.market_pb2 import GetAssetResponse, Quote
from quantmesh.api.portfolio.v1.events_pb2 import TransactionRecorded
from quantmesh.api.portfolio.v1.portfolio_pb2 import AccountEvent, ListEventsResponse
from quantmesh.chassis.cancellation import end
from quantmesh.chassis.events import EventBus
from quantmesh.chassis.events.streams import stream_name
from quantmesh.chassis.shutdown import drain
from quantmesh.gateway.adapters import quote_feed
from quantmesh.gateway.core.shedding import Crowd
from quantmesh.gateway.http.admission import Admission
from quantmesh.gateway.http.server import HttpServer
from quantmesh.local.testing import RunningServer
from services.gateway.tests.unit.edges import ADA, Edge, make_edge


@asynccontextmanager
async def served(edge: Edge, shutdown_seconds: float = 2.0) -> AsyncIterator[HttpServer]:
    """`shutdown_seconds`: what is under way at the end has so long, and each stream that nobody reads takes it."""
    server = HttpServer(edge.app, "127.0.0.1:0", admission=Admission((), Crowd()), shutdown_seconds=shutdown_seconds)
    # Whatever the machine's kernel would keep for who does not read, it keeps little here.
    server._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    serving, watching = asyncio.create_task(server.run()), asyncio.create_task(edge.stream.watch())
    try:
        await wait_for_port(server.port)
        yield server
    finally:
        await server.stop()
        watching.cancel()
        await asyncio.gather(serving, watching, return_exceptions=True)


async def wait_for_port(port: int) -> None:
    async with asyncio.timeout(30):
        while not await is_listening(port):  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0.02)


async def is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
    except ConnectionError:
        # Also of a listener that closed before it had accepted.
        return False
    return True


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Edge:
    # Else a follower that a stall kept waiting is told that it hears what it does not yet.
    monkeypatch.setattr("quantmesh.gateway.adapters.account_logs._PATIENCE_SECONDS", 30.0)
    edge = make_edge(slow_seconds=1.0)
    edge.peers["market"].answers["GetAsset"] = GetAssetResponse()
    edge.peers["auth"].answers["GetMe"] = GetMeResponse()
    return edge


def stream(server: HttpServer) -> connect:
    headers = {"Authorization": "Bearer ada"}
    return connect(f"ws://127.0.0.1:{server.port}/api/v2/stream", additional_headers=headers)


async def hear(client: ClientConnection) -> dict[str, object]:
    message: dict[str, object] = json.loads(await asyncio.wait_for(client.recv(), 30))
    return message


async def test_a_quote_on_nats_reaches_every_client(edge: Edge, nats_server: RunningServer) -> None:
    bus = EventBus(nats_server.url, "gateway")
    await bus.connect()
    await bus.subscribe(quote_feed.SUBJECT, edge.quotes.handle)
    try:
        async with served(edge) as server, stream(server) as first, stream(server) as second:
            for client in (first, second):
                await client.send('{"op": "subscribe", "channels": ["quotes.AAPL"]}')
                assert (await hear(client))["op"] == "subscribed"
            quote = Quote(symbol="AAPL", source="replay")
            quote.price.value = "73.35"
            await bus.publish("quotes.AAPL", quote.SerializeToString())
            heard = [await hear(client) for client in (first, second)]
            assert heard[0] == heard[1]
            assert heard[0]["seq"] == 1
    finally:
        await bus.close()


async def test_an_event_on_jetstream_reaches_the_accounts_stream(edge: Edge, nats_server: RunningServer) -> None:
    edge.peers["portfolio"].answers["ListEvents"] = ListEventsResponse(last_seq=4)
    bus = EventBus(nats_server.url, "gateway")
    await bus.connect()
    listening = asyncio.create_task(edge.logs.listen(bus))
    event = AccountEvent(seq=5, portfolio_id=str(ADA), type="transaction.recorded", data_json='{"amount":"1.00"}')
    event.time.FromJsonString("2020-01-02T15:00:00Z")
    carried = TransactionRecorded(event=event)
    envelope = EventEnvelope(type=carried.DESCRIPTOR.full_name, payload=carried.SerializeToString())
    try:
        async with served(edge) as server, stream(server) as client:
            await client.send(f'{{"op": "subscribe", "channels": ["portfolio.{ADA}"]}}')
            assert (await hear(client))["op"] == "subscribed"
            await bus.jetstream.publish("qm.portfolio.transaction.recorded.3", envelope.SerializeToString())
            heard = await hear(client)
            assert (heard["seq"], heard["data"]) == (5, {"amount": "1.00"})
    finally:
        await end(listening)
        await bus.close()


async def test_events_of_accounts_are_heard_while_somebody_follows_one(
    edge: Edge, nats_server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantmesh.gateway.adapters.account_logs._IDLE_SECONDS", 0.05)
    edge.peers["portfolio"].answers["ListEvents"] = ListEventsResponse(last_seq=4)
    bus = EventBus(nats_server.url, "gateway")
    await bus.connect()
    await bus.ensure_stream("portfolio")
    listening = asyncio.create_task(edge.logs.listen(bus))

    async def asked(times: int) -> None:
        """Until so many batches are asked for, over all consumers that the broker still knows."""
        async with asyncio.timeout(30):
            while True:
                known = await bus.jetstream.consumers_info(stream_name("portfolio"))
                if sum([consumer.num_waiting or 0 for consumer in known]) == times:
                    return
                await asyncio.sleep(0.02)

    try:
        async with served(edge) as server:
            await asyncio.sleep(0.1)
            assert not await bus.jetstream.consumers_info(stream_name("portfolio"))
            for _ in range(2):
                async with stream(server) as client:
                    await client.send(f'{{"op": "subscribe", "channels": ["portfolio.{ADA}"]}}')
                    assert (await hear(client))["op"] == "subscribed"
                    await asked(1)
                await asked(0)
    finally:
        await end(listening)
        await bus.close()


async def test_a_follower_waits_for_a_broker_that_is_away_for_a_moment_alone(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantmesh.gateway.adapters.account_logs._PATIENCE_SECONDS", 0.1)
    edge.peers["portfolio"].answers["ListEvents"] = ListEventsResponse(last_seq=4)
    listening = asyncio.create_task(edge.logs.listen(EventBus("nats://127.0.0.1:9", "gateway")))
    try:
        async with served(edge) as server, stream(server) as client:
            await client.send(f'{{"op": "subscribe", "channels": ["portfolio.{ADA}"]}}')
            assert (await hear(client))["op"] == "subscribed"
    finally:
        await end(listening)


async def test_a_socket_that_is_not_read_is_told_and_closed_with_4008(edge: Edge) -> None:
    async with served(edge) as server:
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.setblocking(False)
        await asyncio.get_running_loop().sock_connect(small, ("127.0.0.1", server.port))
        headers = {"Authorization": "Bearer ada"}
        url = f"ws://127.0.0.1:{server.port}/api/v2/stream"
        async with connect(url, sock=small, additional_headers=headers, max_queue=1, ping_interval=None) as client:
            await client.send('{"op": "subscribe", "channels": ["quotes.AAPL"]}')
            assert (await hear(client))["op"] == "subscribed"
            quote = Quote(symbol="AAPL", source="x" * 50_000)
            quote.price.value = "73.35"
            payload = quote.SerializeToString()
            for _ in range(500):
                await edge.quotes.handle("quotes.AAPL", payload)
                await asyncio.sleep(0.02)
                if any(connection.is_ending for connection in edge.stream._connections):
                    # Reading it now is in time however long the machine stalls.
                    edge.stream._slow_seconds = 60.0
                    break
            last = ""
            with suppress(ConnectionClosedError):
                async for message in client:
                    last = str(message)
        assert client.close_code == 4008
        assert "/problems/slow-reader" in last


async def test_clients_that_vanish_leave_nothing_behind(edge: Edge) -> None:
    async with served(edge) as server:
        for _ in range(5):
            sockets = [stream(server) for _ in range(40)]
            clients = await asyncio.gather(*(opening.__aenter__() for opening in sockets))
            for client in clients:
                await client.send('{"op": "subscribe", "channels": ["quotes.AAPL"]}')
            await asyncio.gather(*(hear(client) for client in clients))
            for client in clients:
                client.transport.abort()
        async with asyncio.timeout(30):
            while edge.quotes.topic("AAPL").readers:  # noqa: ASYNC110  nobody is told
                await asyncio.sleep(0.05)


async def test_head_is_answered_as_get_without_the_body(edge: Edge) -> None:
    async with served(edge) as server, httpx.AsyncClient(headers={"Authorization": "Bearer ada"}, timeout=30) as http:
        url = f"http://127.0.0.1:{server.port}/api/v2/auth/me"
        full, head = await http.get(url), await http.head(url)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == full.headers["content-length"] != "0"
        wrong = await http.put(url)
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD")


async def test_a_gateway_that_ends_sends_a_client_that_keeps_its_connection_elsewhere(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaving, has_left = asyncio.Event(), asyncio.Event()

    async def drain_later(calls_begun: Callable[[], int], seconds: float) -> float:
        leaving.set()
        await has_left.wait()
        return await drain(calls_begun, seconds)

    monkeypatch.setattr("quantmesh.gateway.http.server.drain", drain_later)
    async with served(edge) as server, httpx.AsyncClient(timeout=30) as http:
        url = f"http://127.0.0.1:{server.port}/healthz"
        assert "connection" not in (await http.get(url)).headers
        stopping = asyncio.create_task(server.stop())
        await leaving.wait()
        last = await http.get(url)
        assert (last.status_code, last.headers["connection"]) == (200, "close")
        has_left.set()
        await stopping
        with pytest.raises(httpx.ConnectError):
            await http.get(url)


async def test_a_request_under_way_is_finished_when_the_gateway_stops(edge: Edge) -> None:
    started = asyncio.Event()

    async def slow(_: object) -> GetMeResponse:
        """Long after nobody else is let in any more."""
        started.set()
        while await is_listening(server.port):  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.7)
        return GetMeResponse()

    edge.peers["auth"].answers["GetMe"] = slow
    async with httpx.AsyncClient(headers={"Authorization": "Bearer ada"}, timeout=30) as http:
        async with served(edge, shutdown_seconds=30.0) as server:
            asking = asyncio.create_task(http.get(f"http://127.0.0.1:{server.port}/api/v2/auth/me"))
            await started.wait()
        assert (await asking).status_code == 200
        with suppress(httpx.ConnectError):
            await http.get(f"http://127.0.0.1:{server.port}/healthz")
            pytest.fail("the gateway still listens")
