import json

import httpx

from quantmesh.client import Client

HALT = {
    "id": "h1",
    "kind": "kill_switch",
    "symbol": None,
    "cause": "a drill",
    "level": None,
    "imposed_by": "ada",
    "imposed_at": "2026-03-01T09:00:00Z",
    "market_time": None,
    "lifts_at": None,
    "lifted_at": None,
    "lifted_by": None,
}


def test_a_kill_switch_is_thrown_seen_and_lifted() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.method == "GET":
            return httpx.Response(200, json={"data": [HALT], "next_cursor": None})
        return httpx.Response(201 if request.method == "POST" else 200, json=HALT)

    with Client("http://mesh.test", api_key="k", http=httpx.Client(transport=httpx.MockTransport(answer))) as client:
        thrown = client.halts.impose("a drill", kill_switch=True)
        assert [halt.id for halt in client.halts.in_force()] == [thrown.id]
        client.halts.lift(thrown.id)
    assert json.loads(asked[0].content) == {"kind": "kill_switch", "symbol": None, "cause": "a drill"}
    assert asked[0].headers["idempotency-key"]
    assert (asked[2].method, asked[2].url.path) == ("DELETE", "/api/v2/halts/h1")
