"""uvicorn's WebSocket protocol, with a way past it for frames that are ready.

Through ASGI each message to each client is encoded and framed anew, in a task that has to be woken. A quote for a
thousand clients is the same bytes a thousand times: they go to the sockets as they are.
"""

from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION = "quantmesh.write_frame"


class StreamProtocol(WebSocketsSansIOProtocol):
    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            # The application's task has been made, and runs only after this.
            scope = cast("dict[str, Any]", self.scope)
            scope["extensions"][EXTENSION] = self.write_frame

    def write_frame(self, wire: bytes) -> bool:
        """Send a whole frame now; False where it cannot: closing, or what was sent before still waits."""
        if (
            not self.handshake_complete
            or self.close_sent
            or self.disconnected
            or not self.writable.is_set()
            or self.transport.is_closing()
        ):
            return False
        self.transport.write(wire)
        return True
