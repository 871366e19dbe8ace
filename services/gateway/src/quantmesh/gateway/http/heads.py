"""What a client may send before a request is known: a head of bounded size, in bounded time, and whole.

uvicorn keeps what has come of a head for as long as more comes, and whoever sends nothing for as long as he stays.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from quantmesh.chassis.errors import QuantmeshError
from quantmesh.gateway.core.errors import MalformedRequest
from quantmesh.gateway.http.edge import Edge, Header
from quantmesh.gateway.http.middleware.envelope import POLICY, SECURITY_HEADERS
from quantmesh.gateway.http.packets import PacketProtocol
from quantmesh.gateway.http.problems import problem_answer

CLOSE: Header = (b"connection", b"close")
MAXIMUM_HEAD_BYTES = 64 * 1024
NOTHING_KNOWN: Mapping[str, Any] = {"method": "", "path": "", "headers": []}


def refusal(error: QuantmeshError, scope: Scope, more: Iterable[Header]) -> bytes:
    """A whole answer, with `more` headers."""
    edge = Edge.of(scope)
    answer = problem_answer(error, instance=scope["path"], request_id=edge.request_id)
    headers = (
        *more,
        *answer.headers,
        *SECURITY_HEADERS,
        POLICY,
        (b"x-request-id", edge.request_id.encode("ascii")),
        (b"content-type", answer.content_type),
        (b"content-length", str(len(answer.body)).encode("ascii")),
    )
    head = b"".join(b"%b: %b\r\n" % header for header in headers)
    body = b"" if scope["method"] == "HEAD" else answer.body
    return b"%b%b\r\n%b" % (STATUS_LINE[answer.status], head, body)


class BoundedProtocol(PacketProtocol):
    """Counts what has come since the parser last told of a head or of a part of a body.

    `_in_head`: from the end of one request to that of the next one's headers.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._in_head = True
        self._has_told = False
        self._untold_bytes = 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cease_to_expect()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._has_told = False
        super().data_received(data)
        if self._has_told or self.transport.is_closing():
            self._untold_bytes = 0
            self._cease_to_expect()
        else:
            self._untold_bytes += len(data)
            if self._untold_bytes > MAXIMUM_HEAD_BYTES:
                self.send_400_response(f"The head of a request may have {MAXIMUM_HEAD_BYTES} bytes.")
        # Between two requests uvicorn expects the next one by itself, but neither its head's end nor that of a body
        # which is of no use any more.
        is_between = self._has_told and self._in_head
        if self._late is None and self._is_idle() and not is_between and not self.transport.is_closing():
            self._expect()

    def on_headers_complete(self) -> None:
        self._has_told = True
        switches = self.parser.should_upgrade()
        if switches and not self._should_upgrade() and _has_body(self.headers):
            # The parser takes what follows for another protocol, or for the next request: for no body of this one.
            msg = "Only a WebSocket can be upgraded to; send what has a body without the header Upgrade."
            self.send_400_response(msg)
            raise ValueError(msg)
        super().on_headers_complete()
        # Only now: of a target that cannot be read, as CONNECT's, the parser tells here.
        self._in_head = False
        if not switches:
            # What follows the body are no headers (RFC 9110, 6.5.1): no proxy has looked at them.
            self.headers = []

    def on_body(self, body: bytes) -> None:
        self._has_told = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._has_told = self._in_head = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """As a problem; but what was asked before is answered first, and gets no answer that is not its own."""
        if self.transport.is_closing():
            return
        cycle, is_answered = self.cycle, self._is_idle()
        if self._in_head and not is_answered:
            cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if self._in_head or not (is_answered or cycle.response_started or self.pipeline):
            headers = [*self.server_state.default_headers, CLOSE]
            self.transport.write(refusal(MalformedRequest(msg), dict(NOTHING_KNOWN), headers))
        self.transport.close()

    def _expect(self) -> None:
        self._late = self.loop.call_later(self.timeout_keep_alive, self._give_up)

    def _cease_to_expect(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        if self._is_idle():
            self.transport.close()
        else:
            self._expect()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete


def _has_body(headers: Iterable[Header]) -> bool:
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers)
