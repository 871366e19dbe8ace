"""uvicorn's WebSocket protocol, with an end for who does not read, and a way past it for frames that are ready.

Through ASGI each message to each client is encoded and framed anew, in a task that has to be woken, and its bytes wait
for the end of the loop's turn. A quote for a thousand clients is the same bytes a thousand times: they go to the
sockets as they are, at once.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from quantmesh.gateway.core.errors import MalformedRequest
from quantmesh.gateway.http.heads import CLOSE, NOTHING_KNOWN, refusal

EXTENSION = "quantmesh.write_frame"
# For what was still to be sent when a stream ended.
_LAST_SECONDS = 10.0
_NO_HANDSHAKE = "This is no handshake of a WebSocket: a GET without a body, of at most 128 headers of 8 KiB."
# Sends a whole frame at once, or answers False where it would have to wait.
WriteNow = Callable[[bytes], bool]


class StreamProtocol(WebSocketsSansIOProtocol):
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated and not self.transport.is_closing():
            # The whole head came first, and was none for websockets, which tells nobody.
            headers = [*self.default_headers, CLOSE]
            self.transport.write(refusal(MalformedRequest(_NO_HANDSHAKE), dict(NOTHING_KNOWN), headers))
            self.transport.close()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.close_sent:
            # Also what was refused is over; else uvicorn tells of an error, and whoever asks for what is not there
            # writes into the log of errors.
            self.handshake_complete = True

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            # What waits for who pings and does not read would grow with his pings.
            self.conn.data_to_send()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._end_soon()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        self._end_soon()

    def _end_soon(self) -> None:
        """A transport that closes waits for its reader to take what is left, for ever."""
        self.loop.call_later(_LAST_SECONDS, self._cut)

    def _cut(self) -> None:
        if not self.disconnected:
            self.transport.abort()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        # Below TLS the socket speaks another language.
        if self.response.status_code == 101 and self.scheme == "ws":
            # The application's task has been made, and runs only after this.
            scope = cast("dict[str, Any]", self.scope)
            scope["extensions"][EXTENSION] = _direct(self.transport)


def _direct(transport: asyncio.Transport) -> WriteNow:
    """To be used between accept and close alone."""
    descriptor = transport.get_extra_info("socket").fileno()
    is_closing, bytes_waiting, write = transport.is_closing, transport.get_write_buffer_size, os.write

    def write_now(wire: bytes) -> bool:
        # Behind what still waits it would overtake; a socket that is being closed may already be somebody else's.
        if bytes_waiting() or is_closing():
            return False
        try:
            written = write(descriptor, wire)
        except OSError:
            # Full; or broken, which the transport is about to notice.
            return False
        if written < len(wire):
            transport.write(wire[written:])
        return True

    return write_now
