"""What every call does, against a transport that answers from a list."""

import json
from collections.abc import Callable

import httpx
import pytest

from quantmesh.client import Client, NotSignedIn, Overloaded, Problem, Unreachable, Unreadable, Unsendable

ME = {
    "id": "1",
    "email": "ada@example.org",
    "full_name": "Ada",
    "roles": ["investor"],
    "tier": "free",
    "created_at": "2026-01-01T00:00:00Z",
}
PORTFOLIO = {
    "id": "p1",
    "name": "Growth",
    "base_currency": "USD",
    "lot_method": "average",
    "version": 1,
    "created_at": "2026-01-01T00:00:00Z",
}
BUSY = httpx.Response(503, json={"type": "/problems/unavailable", "detail": "busy"}, headers={"Retry-After": "0"})


class Server:
    """Answers in turn, and remembers what it was asked."""

    def __init__(self, *answers: httpx.Response | Callable[[httpx.Request], httpx.Response]) -> None:
        self._answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self._answers.pop(0)
        return answer(request) if callable(answer) else answer

    def client(self, api_key: str | None = None) -> Client:
        http = httpx.Client(transport=httpx.MockTransport(self))
        return Client("http://mesh.test", api_key=api_key, http=http)


def tokens(name: str, expires_in: int = 300) -> httpx.Response:
    body = {"access_token": name, "refresh_token": f"{name}-next", "token_type": "Bearer", "expires_in": expires_in}
    return httpx.Response(200, json=body)


def test_a_login_is_carried_by_the_calls_that_follow() -> None:
    server = Server(tokens("first"), httpx.Response(200, json=ME))
    with server.client() as client:
        client.auth.login("ada@example.org", "secret")
        assert client.auth.me().full_name == "Ada"
    assert "Authorization" not in server.asked[0].headers
    assert server.asked[1].headers["Authorization"] == "Bearer first"


def test_a_token_is_renewed_before_it_expires() -> None:
    server = Server(tokens("first", expires_in=1), tokens("second"), httpx.Response(200, json=ME))
    with server.client() as client:
        client.auth.login("ada@example.org", "secret")
        client.auth.me()
    assert json.loads(server.asked[1].content) == {"refresh_token": "first-next"}
    assert "Authorization" not in server.asked[1].headers
    assert server.asked[2].headers["Authorization"] == "Bearer second"


def test_a_refresh_that_fails_once_is_tried_again_with_the_same_token() -> None:
    server = Server(tokens("first", expires_in=1), BUSY, tokens("second"), httpx.Response(200, json=ME))
    with server.client() as client:
        client.auth.login("ada@example.org", "secret")
        client.auth.me()
    assert server.asked[1].content == server.asked[2].content


def test_an_api_key_takes_the_place_of_a_login() -> None:
    server = Server(httpx.Response(200, json=ME))
    with server.client(api_key="qm_key") as client:
        client.auth.me()
    assert server.asked[0].headers["X-Api-Key"] == "qm_key"


def test_a_read_is_repeated_while_the_server_is_busy() -> None:
    server = Server(BUSY, BUSY, httpx.Response(200, json=ME))
    with server.client() as client:
        assert client.auth.me().email == "ada@example.org"


def test_a_recording_call_is_repeated_under_one_idempotency_key() -> None:
    server = Server(BUSY, httpx.Response(201, json=PORTFOLIO))
    with server.client() as client:
        client.portfolios.create("Growth")
    first, second = (request.headers["Idempotency-Key"] for request in server.asked)
    assert first == second


def test_a_call_whose_first_attempt_still_runs_is_repeated_until_that_has_ended() -> None:
    def breaks(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("connection reset", request=request)

    twin = {"type": "/problems/idempotency-twin-running", "status": 409, "detail": "It has not finished yet."}
    running = httpx.Response(409, json=twin, headers={"Retry-After": "0"})
    server = Server(breaks, running, httpx.Response(201, json=PORTFOLIO))
    with server.client() as client:
        assert client.portfolios.create("Growth").id == "p1"


def test_what_makes_no_request_is_an_error_of_the_client() -> None:
    server = Server()
    with server.client() as client, pytest.raises(Unsendable, match="not JSON compliant"):
        client.options.price({"spot": float("nan")})
    with server.client(api_key="clé") as client, pytest.raises(Unsendable, match="ascii"):
        client.auth.me()
    with Client("localhost:8080") as client, pytest.raises(Unsendable, match="http://"):
        client.auth.me()


def test_a_call_without_a_key_is_not_repeated() -> None:
    server = Server(BUSY)
    with server.client() as client, pytest.raises(Overloaded):
        client.auth.register("ada@example.org", "secret", "Ada")
    assert len(server.asked) == 1


def test_a_problem_carries_its_kind_and_violations() -> None:
    body = {
        "type": "/problems/invalid-transaction",
        "title": "Unprocessable",
        "status": 422,
        "detail": "The transaction is not valid.",
        "request_id": "r1",
        "errors": [{"pointer": "#/amount", "detail": "must be greater than zero"}],
    }
    server = Server(httpx.Response(422, json=body))
    with server.client() as client, pytest.raises(Problem) as caught:
        client.portfolios.record("p1", {"type": "deposit", "amount": "0"})
    assert caught.value.kind == "invalid-transaction"
    assert caught.value.request_id == "r1"
    assert str(caught.value) == "The transaction is not valid.\n  #/amount: must be greater than zero"


def test_an_answer_that_is_no_problem_document_is_still_an_error() -> None:
    server = Server(httpx.Response(401, text="<html>"))
    with server.client() as client, pytest.raises(NotSignedIn, match="The server answered 401"):
        client.auth.me()


def test_an_address_where_something_else_answers_is_named() -> None:
    server = Server(httpx.Response(200, text="<html>"))
    with (
        server.client() as client,
        pytest.raises(Unreadable, match=r"http://mesh\.test answered something that is no User"),
    ):
        client.auth.me()


def test_an_address_where_nobody_listens_is_named() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    server = Server(refuse)
    with server.client() as client, pytest.raises(Unreachable, match=r"http://mesh.test .* connection refused"):
        client.auth.register("ada@example.org", "secret", "Ada")


def test_pages_are_followed_to_the_end() -> None:
    first = {"data": [PORTFOLIO], "next_cursor": "c2"}
    last = {"data": [PORTFOLIO | {"id": "p2"}], "next_cursor": None}
    server = Server(httpx.Response(200, json=first), httpx.Response(200, json=last))
    with server.client() as client:
        assert [portfolio.id for portfolio in client.portfolios.all()] == ["p1", "p2"]
    assert server.asked[1].url.params["cursor"] == "c2"
