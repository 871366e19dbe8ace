"""Which requests are begun: past a part's capacity the others are refused before anything is done for them.

Where refusing costs as much as answering, what is accepted waits behind what is refused: not even a task is made.
"""

from collections.abc import Iterable
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from quantmesh.gateway.core.errors import BulkheadFull
from quantmesh.gateway.core.shedding import Crowd, Shedding
from quantmesh.gateway.http.edge import Edge
from quantmesh.gateway.http.middleware.envelope import METHODS, POLICY, SECONDS, SECURITY_HEADERS
from quantmesh.gateway.http.packets import PacketProtocol
from quantmesh.gateway.http.problems import problem_answer

_CLOSE = (b"connection", b"close")


class Admission:
    """Each path prefix has a crowd of its own, so that a part that is slow keeps no place of the others."""

    def __init__(self, paths: Iterable[str], crowd: Crowd) -> None:
        self._parts = {prefix: Shedding(prefix, crowd) for prefix in map(_prefix, paths)}
        self._observe: dict[tuple[str, str], Any] = {}

    def part(self, path: str) -> Shedding | None:
        """None where there is nothing to be had, or nothing that costs anything."""
        return self._parts.get(_prefix(path))

    def refusal(self, part: Shedding, scope: Scope, more: Iterable[tuple[bytes, bytes]]) -> bytes:
        """A whole answer, with `more` headers."""
        edge = Edge.of(scope)
        error = BulkheadFull(part.name, part.in_flight)
        answer = problem_answer(error, instance=scope["path"], request_id=edge.request_id)
        self._measure(scope["method"], part.name, answer.status)
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

    def _measure(self, method: str, prefix: str, status: int) -> None:
        key = (method if method in METHODS else "other", prefix)
        observe = self._observe.get(key)
        if observe is None:
            observe = self._observe[key] = SECONDS.labels(*key, status).observe
        observe(0.0)


class AdmittingProtocol(PacketProtocol):
    def __init__(self, admission: Admission, **settings: Any) -> None:
        super().__init__(**settings)
        self._admission = admission

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        part = self._admission.part(cycle.scope["path"])
        if part is None:
            super()._start_asgi_task(cycle, app)
        elif part.enter():
            super()._start_asgi_task(cycle, _left_by(part, app))
        else:
            self._refuse(part, cycle)

    def _refuse(self, part: Shedding, cycle: RequestResponseCycle) -> None:
        headers = cycle.default_headers
        # Who waits to be told to send the body will not send it, so that nothing else can follow on the connection.
        if (not cycle.keep_alive or cycle.waiting_for_100_continue) and _CLOSE not in headers:
            headers = [*headers, _CLOSE]
        cycle.response_started = cycle.response_complete = True
        self.transport.write(self._admission.refusal(part, dict(cycle.scope), headers))
        if _CLOSE in headers:
            self.transport.close()
        self.on_response_complete()


def _left_by(part: Shedding, app: Any) -> Any:
    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        finally:
            part.leave()

    return run


def _prefix(path: str) -> str:
    """ "/api/v2/portfolios" of all that lies below it."""
    return "/".join(path.split("/", 4)[:4])
