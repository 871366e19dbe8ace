"""A client of the stream without a socket: ASGI messages in, ASGI messages out."""

import asyncio
import json
from typing import Any

from .edges import Edge


class StreamClient:
    """`reading` False: the client does not read, so that a send waits for as long."""

    def __init__(self, edge: Edge, **headers: str) -> None:
        self._edge = edge
        self._headers = [(name.lower().replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self._in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._out: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reads = asyncio.Event()
        self._reads.set()
        self.closed: dict[str, Any] | None = None
        self.refused: dict[str, Any] | None = None

    async def __aenter__(self) -> "StreamClient":
        scope = {
            "type": "websocket",
            "path": "/api/v2/stream",
            "headers": self._headers,
            "client": ("127.0.0.1", 5000),
            "query_string": b"",
        }
        self._in.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.create_task(self._edge.app(scope, self._in.get, self._send))
        first = await self._next()
        if first["type"] != "websocket.accept":
            self.refused = first
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reads.set()
        self._in.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(self._task, 5)

    async def _send(self, message: dict[str, Any]) -> None:
        await self._reads.wait()
        self._out.put_nowait(message)

    async def _next(self) -> dict[str, Any]:
        return await asyncio.wait_for(self._out.get(), 5)

    def stop_reading(self) -> None:
        self._reads.clear()

    def read_again(self) -> None:
        self._reads.set()

    def say(self, **message: Any) -> None:
        self.say_text(json.dumps(message))

    def say_text(self, text: str) -> None:
        self._in.put_nowait({"type": "websocket.receive", "text": text})

    async def hear(self) -> dict[str, Any]:
        message = await self._next()
        if message["type"] == "websocket.close":
            self.closed = message
            return message
        heard: dict[str, Any] = json.loads(message["text"])
        return heard

    async def ask(self, **message: Any) -> dict[str, Any]:
        self.say(**message)
        return await self.hear()

    def nothing_waits(self) -> bool:
        return self._out.empty()
