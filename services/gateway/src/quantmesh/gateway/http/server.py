"""uvicorn below the edge, started and stopped by the service."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from quantmesh.chassis.shutdown import drain
from quantmesh.gateway.http.admission import Admission, AdmittingProtocol
from quantmesh.gateway.http.heads import CLOSE
from quantmesh.gateway.http.stream.protocol import StreamProtocol

STREAM_MESSAGE_BYTES = 64 * 1024
STREAM_PING_SECONDS = 20.0
# What the kernel may hold for a client that does not read: enough for speed, little enough to notice it soon.
_SEND_BUFFER_BYTES = 256 * 1024
# For a connection on which nothing is asked, and for a head that does not end.
IDLE_SECONDS = 75


class _Server(uvicorn.Server):
    """Signals are the service's business."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Raises OSError at once where the address is taken."""

    def __init__(
        self,
        app: ASGIApp,
        bind: str,
        *,
        admission: Admission,
        trusted_proxies: str = "",
        shutdown_seconds: float = 10.0,
    ) -> None:
        host, _, port = bind.rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._socket.bind((host.strip("[]") or "127.0.0.1", int(port)))
        self.port: int = self._socket.getsockname()[1]
        self._shutdown_seconds = shutdown_seconds
        self._ended = asyncio.Event()
        self._server = _Server(
            uvicorn.Config(
                app,
                loop="none",
                http=cast("type[asyncio.Protocol]", partial(AdmittingProtocol, admission)),
                ws=StreamProtocol,
                lifespan="off",
                ws_max_size=STREAM_MESSAGE_BYTES,
                ws_ping_interval=STREAM_PING_SECONDS,
                ws_ping_timeout=STREAM_PING_SECONDS,
                # Every quote would be compressed once per client.
                ws_per_message_deflate=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=trusted_proxies or None,
                server_header=False,
                access_log=False,
                log_config=None,
                backlog=2048,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=max(1, int(shutdown_seconds)),
            )
        )
        # It logs every stream that opens, one line each.
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)

    async def run(self) -> None:
        """Serve until stopped."""
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Let clients leave, then refuse them, and finish what is under way."""
        if self._server.started:
            # Whoever keeps a connection is told with its next answer to open another, which leads to another replica.
            state, config = self._server.server_state, self._server.config
            config.encoded_headers = [*config.encoded_headers, CLOSE]
            state.default_headers = [*state.default_headers, CLOSE]
            await drain(lambda: state.total_requests, self._shutdown_seconds)
        self._server.should_exit = True
        await self._ended.wait()
