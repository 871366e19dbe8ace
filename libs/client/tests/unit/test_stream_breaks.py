"""How a stream outlives what ends its connection; the server follows a script, one line of it per connection."""

import json
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from quantmesh.client import Client, NotSignedIn, Overloaded, Problem, StreamClosed, Unsendable

CHANNEL = "portfolio.p1"
TOO_SLOW = {"type": "/problems/slow-reader", "status": 429, "detail": "You read too slowly."}
Say = Callable[[dict[str, Any]], None]
# What a connection does with each message; it closes where the answer is False.
Line = Callable[[dict[str, Any], Say], bool]


class Server:
    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.script: list[Line] = []
        self._server = serve(self._talk, "127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def told(self, op: str) -> list[dict[str, Any]]:
        return [message for message in self.heard if message["op"] == op]

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()

    def _talk(self, connection: ServerConnection) -> None:
        line = self.script.pop(0)
        try:
            for text in connection:
                message = json.loads(text)
                self.heard.append(message)
                if not line(message, lambda content: connection.send(json.dumps(content))):
                    return
        except ConnectionClosed:
            return


def event(seq: int) -> dict[str, Any]:
    return {"channel": CHANNEL, "seq": seq, "time": "2022-10-03T14:00:00Z", "type": "order.filled", "data": {}}


def greet(message: dict[str, Any], say: Say, expires_in: int = 300) -> None:
    if message["op"] == "auth":
        say({"op": "authenticated", "expires_in": expires_in})


def opens_at_3_and_hangs_up(message: dict[str, Any], say: Say) -> bool:
    greet(message, say)
    if message["op"] == "subscribe":
        say({"op": "subscribed", "channels": [{"channel": CHANNEL, "from_seq": 3}]})
        return False
    return True


def sends_what_follows(message: dict[str, Any], say: Say) -> bool:
    greet(message, say)
    if message["op"] == "resume":
        say({"op": "resumed", "channel": CHANNEL, "from_seq": message["after_seq"] + 1})
        for seq in (1, 2):
            say(event(message["after_seq"] + seq))
    return True


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


def follow(server: Server, count: int) -> list[int]:
    """The numbers of the first `count` events; fewer where they do not come."""
    seen: list[int] = []
    with Client(server.address) as client, client.stream() as stream:
        stream.subscribe([CHANNEL])
        for each in stream.events(timeout_seconds=30):
            seen.append(each.seq)
            if len(seen) == count:
                break
    return seen


def test_what_happens_while_a_channel_without_an_event_is_away_is_not_missed(server: Server) -> None:
    server.script = [opens_at_3_and_hangs_up, sends_what_follows]
    assert follow(server, 2) == [3, 4]
    assert [message["after_seq"] for message in server.told("resume")] == [2]


def test_a_stream_that_is_ended_with_a_word_goes_on(server: Server) -> None:
    def ends_it(message: dict[str, Any], say: Say) -> bool:
        greet(message, say)
        if message["op"] == "subscribe":
            say({"op": "subscribed", "channels": [{"channel": CHANNEL, "from_seq": 1}]})
            say(event(1))
            say({"op": "error", "problem": TOO_SLOW})
            return False
        return True

    server.script = [ends_it, sends_what_follows]
    assert follow(server, 3) == [1, 2, 3]


def test_a_server_that_hangs_up_once_more_is_tried_again(server: Server) -> None:
    server.script = [opens_at_3_and_hangs_up, lambda _message, _say: False, sends_what_follows]
    assert follow(server, 2) == [3, 4]


def test_the_login_is_renewed_before_it_expires(server: Server) -> None:
    def asks_for_another(message: dict[str, Any], say: Say) -> bool:
        greet(message, say, expires_in=11 if len(server.told("auth")) == 1 else 300)
        if message["op"] == "subscribe":
            say({"op": "subscribed", "channels": [{"channel": CHANNEL, "from_seq": 1}]})
        if len(server.told("auth")) == 2:
            say(event(1))
        return True

    server.script = [asks_for_another]
    assert follow(server, 1) == [1]


def test_a_key_says_who_follows(server: Server) -> None:
    server.script = [opens_at_3_and_hangs_up]
    with Client(server.address, api_key="qm_key") as client, client.stream() as stream:
        stream.subscribe([CHANNEL])
    assert server.told("auth") == [{"op": "auth", "token": "qm_key"}]


def test_a_refusal_that_names_its_channel_ends_the_events(server: Server) -> None:
    def refuses(message: dict[str, Any], say: Say) -> bool:
        greet(message, say)
        if message["op"] == "subscribe":
            say({"op": "subscribed", "channels": [{"channel": CHANNEL, "from_seq": 1}]})
            say({"op": "error", "channel": CHANNEL, "problem": {"status": 403, "detail": "No longer yours."}})
        return True

    server.script = [refuses]
    with pytest.raises(Problem, match="No longer yours"):
        follow(server, 1)


def test_a_refusal_is_the_problem_that_a_call_would_raise(server: Server) -> None:
    refusal = {
        "type": "/problems/unauthenticated",
        "status": 401,
        "detail": "The access token is not valid.",
        "errors": [{"pointer": "#/token", "detail": "is not valid"}],
    }

    def refuses(message: dict[str, Any], say: Say) -> bool:
        say({"op": "error", "problem": refusal})
        return True

    server.script = [refuses]
    with pytest.raises(NotSignedIn) as caught:
        follow(server, 1)
    assert (caught.value.kind, caught.value.violations[0].pointer) == ("unauthenticated", "#/token")


@pytest.mark.parametrize("address", ["localhost:8080", "http://127.0.0.1:99999"])
def test_an_address_that_is_none_is_an_error_of_the_client(address: str) -> None:
    with Client(address, api_key="k") as client, pytest.raises(Unsendable), client.stream():
        pass


def test_a_stream_that_ends_before_it_is_open_says_so(server: Server) -> None:
    server.script = [lambda _message, _say: False]
    with pytest.raises(StreamClosed, match=CHANNEL):
        follow(server, 1)


def test_an_event_behind_a_refusal_that_ends_nothing_is_not_lost(server: Server) -> None:
    def grumbles(message: dict[str, Any], say: Say) -> bool:
        greet(message, say)
        if message["op"] == "subscribe":
            say({"op": "subscribed", "channels": [{"channel": CHANNEL, "from_seq": 1}]})
            say({"op": "error", "problem": TOO_SLOW})
            say(event(1))
        return True

    server.script = [grumbles]
    with Client(server.address) as client, client.stream() as stream:
        stream.subscribe([CHANNEL])
        with pytest.raises(Problem, match="too slowly"):
            next(stream.events(timeout_seconds=30))
        assert next(stream.events(timeout_seconds=30)).seq == 1


def test_a_stream_that_is_refused_at_its_door_says_why() -> None:
    told = {"type": "/problems/too-many-streams", "status": 429, "detail": "200 streams are open already."}

    def refuse(connection: ServerConnection, _: Request) -> Response:
        answer = connection.respond(HTTPStatus.TOO_MANY_REQUESTS, json.dumps(told))
        answer.headers["Retry-After"] = "20"
        return answer

    with serve(lambda _: None, "127.0.0.1", 0, process_request=refuse) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
            with Client(address, api_key="key") as client, pytest.raises(Overloaded, match="open already") as refused:
                client.stream().__enter__()
        finally:
            server.shutdown()
            thread.join()
    assert (refused.value.kind, refused.value.retry_after_seconds) == ("too-many-streams", 20.0)
