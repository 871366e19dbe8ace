"""The outermost layer: request id, trace, security headers, and the measurement of every request."""

import time
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.telemetry import tracing
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.gateway.http.edge import KEY, Edge, Header

log = get_logger(__name__)

SECONDS = Histogram(
    "quantmesh_http_seconds",
    "Time a request took, by the route's template",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0),
)
_BYTES = Counter("quantmesh_http_sent_bytes_total", "Bytes of bodies sent")
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})

# What answers JSON is never shown as a page, framed or guessed about. Pages of our own set a policy of their own.
SECURITY_HEADERS: tuple[Header, ...] = (
    (b"strict-transport-security", b"max-age=63072000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
POLICY: Header = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
# Without a word a cache may keep for a while, and for others, what it sees no credential in: it knows no X-Api-Key.
# What has a tag its user may keep, and ask each time whether it still holds.
_UNKEPT: Header = (b"cache-control", b"no-store")
_REVALIDATED: Header = (b"cache-control", b"private, no-cache")


class Envelope:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._observe: dict[tuple[str, str, int], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        edge = Edge.of(scope)
        scope[KEY] = edge
        started = time.perf_counter()
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            edge.has_begun = True
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                headers = message.setdefault("headers", [])
                headers += [*SECURITY_HEADERS, (b"x-request-id", edge.request_id.encode("ascii")), *edge.answer_headers]
                told = dict(headers)
                if POLICY[0] not in told:
                    headers.append(POLICY)
                if _UNKEPT[0] not in told:
                    headers.append(_REVALIDATED if b"etag" in told else _UNKEPT)
            elif message["type"] == "http.response.body":
                _BYTES.inc(len(message.get("body", b"")))
            await send(message)

        method = scope.get("method", "WEBSOCKET")
        with tracing.server_span(
            method, edge.header(b"traceparent"), {"quantmesh.request_id": edge.request_id}
        ) as traceparent:
            edge.traceparent = traceparent
            # Also what is logged before a route is found tells its request.
            set_call(CallContext(request_id=edge.request_id, traceparent=traceparent))
            try:
                await self._app(scope, receive, send_on)
            finally:
                tracing.describe_span(
                    f"{method} {edge.route}".rstrip(),
                    {"http.request.method": method, "http.route": edge.route, "http.response.status_code": status},
                    failed=status >= 500,
                )
        if scope["type"] == "http":
            self._measure(method, edge, status, time.perf_counter() - started)

    def _measure(self, method: str, edge: Edge, status: int, seconds: float) -> None:
        # Raw paths and invented methods would make a time series each.
        name = (method if method in METHODS else "other", edge.route or "none", status)
        observe = self._observe.get(name)
        if observe is None:
            observe = self._observe[name] = SECONDS.labels(*name).observe
        observe(seconds, tracing.exemplar(edge.traceparent))
        if status >= 500 or seconds > 5.0:
            log.warning(
                "request",
                request_id=edge.request_id,
                method=name[0],
                route=edge.route,
                status=status,
                seconds=round(seconds, 3),
            )
