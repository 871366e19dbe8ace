"""The ASGI end of the stream: accepts, keeps count, and sends away who is slow, revoked or unknown."""

import asyncio
import time

from prometheus_client import Gauge
from starlette.types import Receive, Scope, Send

from quantmesh.chassis.errors import Unauthenticated
from quantmesh.gateway.adapters.credentials import is_session_of_key
from quantmesh.gateway.core.errors import SlowReader
from quantmesh.gateway.http.edge import edge_of
from quantmesh.gateway.http.stream.connection import CLOSE_SLOW, CLOSE_UNAUTHENTICATED, Connection
from quantmesh.gateway.http.stream.desk import StreamDesk
from quantmesh.gateway.http.stream.protocol import EXTENSION

_CONNECTIONS = Gauge("quantmesh_stream_connections", "Clients of the stream")


class StreamServer:
    """`slow_seconds`: how long one frame may wait for its reader. Twice that, and the connection is cut."""

    def __init__(self, desk: StreamDesk, *, slow_seconds: float = 10.0) -> None:
        self._desk = desk
        self._slow_seconds = slow_seconds
        self._connections: dict[Connection, asyncio.Task[None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        edge = edge_of(scope)
        if edge.refusal is not None:
            # A credential on the connect that is no good is refused before there is a stream.
            raise edge.refusal
        # Without uvicorn below there is no short way, and every frame goes through ASGI.
        write_now = scope.get("extensions", {}).get(EXTENSION, _never)
        connection = Connection(self._desk, edge, receive, send, write_now)
        self._desk.places.take(connection.holder)
        try:
            await receive()
            await send({"type": "websocket.accept"})
            await self._run(connection)
        finally:
            self._desk.places.leave(connection.holder)

    async def _run(self, connection: Connection) -> None:
        task = asyncio.create_task(connection.run())
        self._connections[connection] = task
        _CONNECTIONS.inc()
        try:
            await asyncio.wait((task,))
        finally:
            _CONNECTIONS.dec()
            del self._connections[connection]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def revoke(self, session_id: str) -> None:
        """A session has ended, or a key was revoked: so have its connections."""
        what = "API key was revoked" if is_session_of_key(session_id) else "session has ended"
        for connection in self._connections:
            if connection.session_id == session_id:
                connection.end(CLOSE_UNAUTHENTICATED, Unauthenticated(f"The {what}."))

    async def watch(self) -> None:
        """Looks after the connections every second, for as long as the gateway runs."""
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            for connection, task in tuple(self._connections.items()):
                await connection.inspect(now)
                waited = now - connection.sending_since if connection.sending_since else 0.0
                if waited > 2 * self._slow_seconds and connection.is_ending:
                    task.cancel()
                elif waited > self._slow_seconds:
                    connection.end(CLOSE_SLOW, SlowReader())


def _never(_: bytes) -> bool:
    return False
