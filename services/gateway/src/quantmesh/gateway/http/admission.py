"""Which requests are begun: past a part's capacity the others are refused before anything is done for them.

Where refusing costs as much as answering, what is accepted waits behind what is refused: not even a task is made.
"""

import time
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from quantmesh.gateway.core.errors import BulkheadFull
from quantmesh.gateway.core.shedding import Crowd, Shedding
from quantmesh.gateway.http.heads import CLOSE, BoundedProtocol, refusal
from quantmesh.gateway.http.middleware.envelope import METHODS, SECONDS
from quantmesh.gateway.http.problems import status_of

T = TypeVar("T")

_HALTS = "/api/v2/halts"


class Admission:
    """Each path prefix has a crowd of its own, so that a part that is slow keeps no place of the others.

    Within it, so has what lessens risk: no order stays open, and no trading goes on, for what others ask too much.
    """

    def __init__(self, paths: Iterable[str], crowd: Crowd) -> None:
        self._parts = {
            (prefix, lessens_risk): Shedding(prefix, crowd, time.monotonic)
            for prefix in set(map(_prefix, paths))
            for lessens_risk in (False, True)
        }
        self._observe: dict[tuple[str, str], Any] = {}

    def part(self, method: str, path: str) -> Shedding | None:
        """None where there is nothing to be had, or nothing that costs anything."""
        prefix = _prefix(path)
        lessens_risk = method == "DELETE" or (method == "POST" and prefix == _HALTS)
        return self._parts.get((prefix, lessens_risk))

    def refusal(self, part: Shedding, scope: Scope, more: Iterable[tuple[bytes, bytes]]) -> bytes:
        """A whole answer, with `more` headers."""
        error = BulkheadFull(part.name, part.in_flight)
        self._measure(scope["method"], part.name, status_of(error))
        return refusal(error, scope, more)

    def _measure(self, method: str, prefix: str, status: int) -> None:
        key = (method if method in METHODS else "other", prefix)
        observe = self._observe.get(key)
        if observe is None:
            observe = self._observe[key] = SECONDS.labels(*key, status).observe
        observe(0.0)


class AdmittingProtocol(BoundedProtocol):
    def __init__(self, admission: Admission, **settings: Any) -> None:
        super().__init__(**settings)
        self._admission = admission

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self.transport.is_closing():
            # Sent behind what this connection was closed for: no answer would arrive.
            cycle.response_started = cycle.response_complete = True
            return
        part = self._admission.part(cycle.scope["method"], cycle.scope["path"])
        if part is None:
            super()._start_asgi_task(cycle, app)
        elif part.enter():
            super()._start_asgi_task(cycle, _in_a_place(part, cycle, app))
        else:
            self._refuse(part, cycle)

    def _refuse(self, part: Shedding, cycle: RequestResponseCycle) -> None:
        headers = cycle.default_headers
        # Who waits to be told to send the body will not send it, so that nothing else can follow on the connection. And
        # to refuse one after the other all that was sent ahead would take a frame of the stack each.
        if (not cycle.keep_alive or cycle.waiting_for_100_continue or self.pipeline) and CLOSE not in headers:
            headers = [*headers, CLOSE]
        cycle.response_started = cycle.response_complete = True
        self.transport.write(self._admission.refusal(part, dict(cycle.scope), headers))
        if self.flow.write_paused:
            # Nobody reads what is written, and asks on.
            self.transport.abort()
        elif CLOSE in headers:
            self.transport.close()
        self.on_response_complete()


def _in_a_place(part: Shedding, cycle: RequestResponseCycle, app: Any) -> Any:
    """`app`, out of its place while its client sends nothing of the body, or reads nothing of the answer."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        def receive_on() -> Awaitable[Message]:
            is_awaited = cycle.more_body and not cycle.message_event.is_set()
            return _outside(part, receive()) if is_awaited else receive()

        def send_on(message: Message) -> Awaitable[None]:
            return _outside(part, send(message)) if cycle.flow.write_paused else send(message)

        try:
            await app(scope, receive_on, send_on)
        finally:
            part.leave()

    return run


async def _outside(part: Shedding, step: Awaitable[T]) -> T:
    with part.left():
        return await step


def _prefix(path: str) -> str:
    """ "/api/v2/portfolios" of all that lies below it."""
    return "/".join(path.split("/", 4)[:4])
