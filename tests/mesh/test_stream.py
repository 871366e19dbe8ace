"""The stream with clients that come and go."""

import asyncio
import json

import httpx
import websockets

from quantmesh.local.testing.mesh import Mesh

from .accounts import API, events, funded_portfolio, record


async def test_clients_that_leave_take_nobody_along(mesh: Mesh, user: httpx.Client) -> None:
    portfolio = await asyncio.to_thread(funded_portfolio, user)
    restarts = mesh.part("gateway").restarts
    token = user.headers["Authorization"].removeprefix("Bearer ")
    for _ in range(5):
        stream = await websockets.connect(mesh.url.replace("http", "ws") + f"{API}/stream")
        await stream.send(json.dumps({"op": "auth", "token": token}))
        await stream.send(json.dumps({"op": "subscribe", "channels": ["quotes.AAPL", f"portfolio.{portfolio}"]}))
        await stream.recv()
        await asyncio.sleep(0.3)
        # As a phone that loses its network: no closing handshake.
        stream.transport.abort()
        for _ in range(3):
            answer = await asyncio.to_thread(record, user, portfolio, type="deposit", amount="1.00")
            assert answer.status_code == 201, answer.text
    assert len(await asyncio.to_thread(events, user, portfolio)) == 16
    assert mesh.part("gateway").restarts == restarts
