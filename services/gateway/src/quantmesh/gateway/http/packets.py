"""Whole answers in one packet: uvicorn writes an answer's head and body one after the other, and uvloop sends each
write at once, which costs a system call here and a wake-up at the client.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# How long a connection that is to close waits for a client who takes nothing of what is left.
UNREAD_SECONDS = 30.0


class GatheredTransport:
    """A transport that holds a write back until the next one, or the end of this turn of the loop."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = transport
        self._call_soon, self._call_later = loop.call_soon, loop.call_later
        self._held = b""
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.abort = transport.abort
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        if self._held:
            held, self._held = self._held, b""
            # Of a client who has just left the protocol hears after this turn; uvloop refuses to write to him before.
            if not self.transport.is_closing():
                self.transport.writelines((held, data))
        else:
            self._held = data
            self._call_soon(self._flush)

    def close(self) -> None:
        self._flush()
        self.transport.close()
        self._cut_unread(None)

    def _cut_unread(self, left_before: int | None) -> None:
        """By itself a transport that closes waits for its reader for ever."""
        left = self.transport.get_write_buffer_size()
        if left and left == left_before:
            self.transport.abort()
        elif left:
            self._call_later(UNREAD_SECONDS, self._cut_unread, left)

    def _flush(self) -> None:
        held, self._held = self._held, b""
        if held and not self.transport.is_closing():
            self.transport.write(held)


class PacketProtocol(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        gathered = GatheredTransport(cast("asyncio.Transport", transport), self.loop)
        super().connection_made(cast("Any", gathered))

    def handle_websocket_upgrade(self) -> None:
        """The stream writes for itself."""
        self.transport = cast("Any", self.transport).transport
        super().handle_websocket_upgrade()
