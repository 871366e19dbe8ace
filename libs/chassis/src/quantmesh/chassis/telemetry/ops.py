"""The operators' port of a service: /healthz, /startupz, /readyz and /metrics, on threads of its own.

Liveness touches no dependency, so that a database that is down does not get every service restarted.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import disable_created_metrics, make_wsgi_app

# When a counter began would be a series of its own beside each counter and histogram.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left its types out
# What is waited for, by name; empty when all is well.
Waiting = Callable[[], list[str]]


class Caller(WSGIRequestHandler):
    """Who asks nothing for `timeout` seconds is hung up on."""

    timeout = 10

    def handle(self) -> None:
        with suppress(OSError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Probes every second are no news."""


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each caller: one that is silent, as a scraper that vanished, would keep the probes waiting."""

    daemon_threads = True


class OpsServer:
    """Serves until stopped. Raises OSError where the address is taken."""

    def __init__(self, bind: str, readiness: Waiting, startup: Waiting) -> None:
        host, _, port = bind.rpartition(":")
        metrics: Callable[[dict[str, Any], Any], Iterable[bytes]] = make_wsgi_app()

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            path = environ.get("PATH_INFO", "")
            if path == "/metrics":
                return metrics(environ, start_response)
            if path == "/healthz":
                return _answer(start_response, "200 OK", "alive\n")
            if path in {"/startupz", "/readyz"}:
                waiting = readiness() if path == "/readyz" else startup()
                if waiting:
                    return _answer(start_response, "503 Service Unavailable", f"waiting for {', '.join(waiting)}\n")
                return _answer(start_response, "200 OK", "ready\n")
            return _answer(start_response, "404 Not Found", "/healthz, /startupz, /readyz, /metrics\n")

        self._server: WSGIServer = make_server(
            host or "127.0.0.1", int(port), app, server_class=_Server, handler_class=Caller
        )
        self._thread = Thread(target=self._server.serve_forever, name="ops", daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_port

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _answer(start_response: Any, status: str, body: str) -> list[bytes]:
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")])
    return [body.encode()]
