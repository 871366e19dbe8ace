"""The stream against a small server that speaks its protocol, and breaks off in the middle."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from quantmesh.client import Client, Problem

LOG = [
    {"channel": "portfolio.p1", "seq": seq, "time": "2022-10-03T14:00:00Z", "type": "order.filled", "data": {}}
    for seq in range(1, 7)
]


class Gateway:
    """Sends the log of one account, and closes after every second event."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self._server = serve(self._talk, "127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()

    def _talk(self, connection: ServerConnection) -> None:
        try:
            for text in connection:
                message = json.loads(text)
                self.heard.append(message)
                match message["op"]:
                    case "auth":
                        connection.send(json.dumps({"op": "authenticated", "expires_in": 300}))
                    case "subscribe" if message["channels"] == ["portfolio.foreign"]:
                        problem = {"type": "/problems/not-found", "status": 404, "detail": "There is no portfolio."}
                        connection.send(json.dumps({"op": "error", "problem": problem}))
                    case "subscribe":
                        opened = [{"channel": name, "from_seq": 1} for name in message["channels"]]
                        connection.send(json.dumps({"op": "subscribed", "channels": opened}))
                        self._send_after(connection, 0)
                    case "resume":
                        first = message["after_seq"] + 1
                        answer = {"op": "resumed", "channel": message["channel"], "from_seq": first}
                        connection.send(json.dumps(answer))
                        self._send_after(connection, message["after_seq"])
        except ConnectionClosed:
            return

    def _send_after(self, connection: ServerConnection, seq: int) -> None:
        for event in LOG[seq : seq + 2]:
            connection.send(json.dumps(event))
        connection.close()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    gateway.start()
    yield gateway
    gateway.stop()


def test_a_stream_that_breaks_goes_on_without_a_hole_or_a_repeat(gateway: Gateway) -> None:
    seen = []
    with Client(gateway.address) as client, client.stream() as stream:
        stream.subscribe(["portfolio.p1"])
        for event in stream.events(timeout_seconds=30):
            seen.append(event.seq)
            if event.seq == len(LOG):
                break
    assert seen == [1, 2, 3, 4, 5, 6]
    resumed = [message["after_seq"] for message in gateway.heard if message["op"] == "resume"]
    assert resumed == [2, 4]


def test_a_stream_goes_on_behind_the_snapshot_that_the_client_has(gateway: Gateway) -> None:
    seen = []
    with Client(gateway.address) as client, client.stream() as stream:
        stream.resume("portfolio.p1", 3)
        for event in stream.events(timeout_seconds=30):
            seen.append(event.seq)
            if event.seq == len(LOG):
                break
    assert seen == [4, 5, 6]


def test_a_channel_that_is_refused_raises_its_problem(gateway: Gateway) -> None:
    with (
        Client(gateway.address) as client,
        client.stream() as stream,
        pytest.raises(Problem, match=r"There is no portfolio\.") as caught,
    ):
        stream.subscribe(["portfolio.foreign"])
    assert caught.value.status == 404


def test_events_end_when_the_time_is_over(gateway: Gateway) -> None:
    with Client(gateway.address) as client, client.stream() as stream:
        assert list(stream.events(timeout_seconds=0.2)) == []
