"""uvicorn's WebSocket protocol, with a way past it for frames that are ready.

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

EXTENSION = "quantmesh.write_frame"
# Sends a whole frame at once, or answers False where it would have to wait.
WriteNow = Callable[[bytes], bool]


class StreamProtocol(WebSocketsSansIOProtocol):
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
