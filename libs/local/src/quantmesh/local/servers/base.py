"""What every embedded server can say about itself, and the one way to start it."""

import time
from pathlib import Path
from typing import Protocol

from quantmesh.local.child import ChildProcess
from quantmesh.local.errors import StartFailed


class EmbeddedServer(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def url(self) -> str:
        """What a client connects with."""
        ...

    def prepare(self) -> None:
        """Make its folder and configuration; doing it again changes nothing."""
        ...

    def child(self, log: Path) -> ChildProcess:
        """The process, not yet started."""
        ...

    def is_ready(self) -> bool:
        """Whether it answers requests now; waits half a second at most."""
        ...


def start_and_wait(server: EmbeddedServer, log: Path, patience_seconds: float = 20.0) -> ChildProcess:
    """Prepare, start, and return once it answers; a failed start leaves no process behind."""
    server.prepare()
    child = server.child(log)
    child.start()
    deadline = time.monotonic() + patience_seconds
    while not server.is_ready():
        if not child.running:
            raise StartFailed(server.name, f"it ended with code {child.exit_code}", log)
        if time.monotonic() > deadline:
            child.kill()
            raise StartFailed(server.name, f"it did not answer within {patience_seconds:.0f} s", log)
        time.sleep(0.02)
    return child
