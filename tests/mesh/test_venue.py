"""The paper venue from outside: what rests fills on the replayed feed, and halts are seen and felt by everyone."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
import websockets

from quantmesh.local.testing.mesh import Mesh

from .accounts import API, funded_portfolio, live_quotes

SYMBOLS = ("AAPL", "AMD", "BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO")


@pytest.fixture
def operator(mesh: Mesh) -> Iterator[httpx.Client]:
    with mesh.login(mesh.operator.email, mesh.operator.password) as client:
        yield client


def order(user: httpx.Client, portfolio: str, symbol: str, **fields: Any) -> dict[str, Any]:
    body = {"portfolio_id": portfolio, "symbol": symbol, "side": "buy", "quantity": "1", **fields}
    answer = user.post(f"{API}/orders", json=body, headers={"Idempotency-Key": uuid4().hex})
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def live_bids(user: httpx.Client) -> dict[str, str]:
    quotes = live_quotes(user, SYMBOLS)
    assert {quote["bid_size"] for quote in quotes} == {"10000"}
    return {quote["symbol"]: quote["bid"] for quote in quotes}


def test_an_order_that_rests_fills_when_the_price_comes_to_it(user: httpx.Client) -> None:
    portfolio = funded_portfolio(user)
    limits = live_bids(user)
    placed = [
        order(user, portfolio, symbol, type="limit", limit_price=limit, time_in_force="gtc")
        for symbol, limit in limits.items()
    ]
    deadline = time.monotonic() + 60
    found: list[dict[str, Any]] = []
    while not found and time.monotonic() < deadline:
        time.sleep(0.5)
        found = [
            shown
            for shown in (user.get(f"{API}/orders/{one['id']}").json() for one in placed if one["status"] == "accepted")
            if shown["status"] == "filled"
        ]
    assert found, "ten prices that walk have all stayed above where they were for a minute"
    assert float(found[0]["average_fill_price"]) <= float(limits[found[0]["symbol"]])
    for one in placed:
        user.delete(f"{API}/orders/{one['id']}")


async def test_a_halt_is_seen_on_the_stream_and_stops_its_symbol(
    mesh: Mesh, user: httpx.Client, operator: httpx.Client
) -> None:
    portfolio = await asyncio.to_thread(funded_portfolio, user)
    refused = await asyncio.to_thread(user.post, f"{API}/halts", json={"kind": "operator", "cause": "a drill"})
    assert refused.status_code == 403
    async with websockets.connect(mesh.url.replace("http", "ws") + f"{API}/stream") as stream:
        token = user.headers["Authorization"].removeprefix("Bearer ")
        for message in ({"op": "auth", "token": token}, {"op": "subscribe", "channels": ["halts"]}):
            await stream.send(json.dumps(message))
            await stream.recv()
        body = {"kind": "operator", "symbol": "KO", "cause": "a drill"}
        imposed = await asyncio.to_thread(operator.post, f"{API}/halts", json=body)
        assert imposed.status_code == 201, imposed.text
        halt = imposed.json()
        try:
            assert await heard(stream, "halt.imposed") == halt
            rejected = await asyncio.to_thread(order, user, portfolio, "KO", type="market")
            assert (rejected["status"], rejected["reason"]) == ("rejected", "trading in KO is halted: a drill")
            assert (await asyncio.to_thread(order, user, portfolio, "JNJ", type="market"))["status"] == "filled"
        finally:
            lifted = await asyncio.to_thread(operator.delete, f"{API}/halts/{halt['id']}")
        assert lifted.status_code == 200, lifted.text
        assert (await heard(stream, "halt.lifted"))["id"] == halt["id"]
    assert (await asyncio.to_thread(order, user, portfolio, "KO", type="market"))["status"] == "filled"


async def heard(stream: websockets.ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            event = json.loads(await stream.recv())
            if event.get("type") == kind:
                shown: dict[str, Any] = event["data"]["halt"]
                return shown
