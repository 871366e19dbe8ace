"""A started server that a test may kill and start again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quantmesh.local.servers import EmbeddedServer, start_and_wait

# Others may have the machine.
_PATIENCE_SECONDS = 60.0


class RunningServer:
    def __init__(self, server: EmbeddedServer, log: Path) -> None:
        self._server = server
        self._log = log
        self._child = start_and_wait(server, log, _PATIENCE_SECONDS)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def port(self) -> int:
        return self._server.port

    def kill(self) -> None:
        """As by `kill -9`: nothing is flushed, nothing is said to clients."""
        self._child.kill()

    def stop(self) -> None:
        self._child.stop()

    def start_again(self) -> None:
        """On the same port and the same data; returns once it answers."""
        self._child = start_and_wait(self._server, self._log, _PATIENCE_SECONDS)


@contextmanager
def running(server: EmbeddedServer, log: Path) -> Iterator[RunningServer]:
    started = RunningServer(server, log)
    try:
        yield started
    finally:
        started.stop()
