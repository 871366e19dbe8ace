"""Where the local mesh keeps its state and listens; every value can be set in the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quantmesh.local.errors import LocalError
from quantmesh.local.workspace import ServiceDeclaration, Workspace

# Below 32768, where the kernel takes no port for outgoing connections.
SERVER_PORTS = {"postgres": 15432, "nats": 14222, "redis": 16379, "evm": 18545, "prometheus": 19090}
# A server named here is not started; its address is used as it is.
SERVER_ADDRESSES = {
    "postgres": "QUANTMESH_POSTGRES_ADMIN_URL",
    "nats": "QUANTMESH_NATS_URL",
    "redis": "QUANTMESH_REDIS_URL",
    "evm": "QUANTMESH_EVM_URL",
}


@dataclass(frozen=True)
class PortSetting:
    """A port and the variable that changes it."""

    variable: str
    port: int


class LocalSettings:
    def __init__(self, workspace: Workspace, environ: Mapping[str, str]) -> None:
        self.workspace = workspace
        self.environ = dict(environ)
        self.state_folder = (workspace.root / environ.get("QUANTMESH_STATE_FOLDER", ".quantmesh")).resolve()

    def server_address(self, server: str) -> str | None:
        """The address given in the environment in place of the embedded server."""
        return self.environ.get(SERVER_ADDRESSES[server]) or None

    def server_port(self, server: str) -> PortSetting:
        return self._port(f"QUANTMESH_{server.upper()}_PORT", SERVER_PORTS[server])

    def service_port(self, service: ServiceDeclaration, kind: str) -> PortSetting:
        """`kind` is grpc, ops or http."""
        return self._port(f"QUANTMESH_{service.name.upper()}_{kind.upper()}_PORT", service.ports[kind])

    @property
    def logs(self) -> Path:
        return self.state_folder / "logs"

    def data(self, part: str) -> Path:
        return self.state_folder / "data" / part

    @property
    def gateway_address(self) -> str | None:
        for service in self.workspace.services:
            if "http" in service.ports:
                return f"http://127.0.0.1:{self.service_port(service, 'http').port}"
        return None

    @property
    def secrets_file(self) -> Path:
        return self.state_folder / "secrets.json"

    @property
    def operator_file(self) -> Path:
        return self.state_folder / "operator.json"

    def _port(self, variable: str, default: int) -> PortSetting:
        text = self.environ.get(variable, str(default))
        if not (text.isascii() and text.isdigit() and 0 < int(text) < 65_536):
            raise LocalError(f"{variable} is {text!r}; a port is a number from 1 to 65535.")
        return PortSetting(variable, int(text))
