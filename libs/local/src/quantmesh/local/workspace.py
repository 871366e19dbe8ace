"""The checkout that the mesh runs from, and what each service declares of itself in `[tool.quantmesh]`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from quantmesh.local.errors import LocalError

SERVERS = ("postgres", "nats", "redis", "evm")


@dataclass(frozen=True)
class WorkerDeclaration:
    """What `python -m quantmesh.<service> worker` calls, where the service has one."""

    servers: tuple[str, ...]
    peers: tuple[str, ...]


@dataclass(frozen=True)
class ServiceDeclaration:
    """`environment` maps names of variables to templates, see `environment.py`; `consumers` the publishing services
    to the durable JetStream consumers on their streams."""

    name: str
    ports: Mapping[str, int]
    servers: tuple[str, ...]
    peers: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    consumers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    worker: WorkerDeclaration | None = None


@dataclass(frozen=True)
class Workspace:
    root: Path
    services: tuple[ServiceDeclaration, ...]

    @classmethod
    def read(cls, root: Path) -> "Workspace":
        projects = sorted((root / "services").glob("*/pyproject.toml"))
        if not projects:
            raise LocalError(f"{root} has no services/*/pyproject.toml: run this from the root of the checkout.")
        services = tuple(_declaration(project) for project in projects)
        known = {service.name for service in services}
        for service in services:
            if unknown := set(service.peers) - known:
                raise LocalError(
                    f"services/{service.name} names peers that are not there: {', '.join(sorted(unknown))}."
                )
        return cls(root, services)

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers that any service needs, in the order of SERVERS."""
        needed = {server for service in self.services for server in service.servers}
        return tuple(server for server in SERVERS if server in needed)


def _declaration(project: Path) -> ServiceDeclaration:
    name = project.parent.name
    table = tomllib.loads(project.read_text()).get("tool", {}).get("quantmesh")
    if table is None:
        raise LocalError(f"{project} has no [tool.quantmesh]; docs/adding-a-service.md shows one.")
    if unknown := set(table["servers"]) - set(SERVERS):
        raise LocalError(f"{project} needs unknown servers {sorted(unknown)}; known are {', '.join(SERVERS)}.")
    worker = table.get("worker")
    return ServiceDeclaration(
        name=name,
        ports={key.removesuffix("_port"): value for key, value in table.items() if key.endswith("_port")},
        servers=tuple(table["servers"]),
        peers=tuple(table["peers"]),
        environment=table.get("environment", {}),
        consumers={publisher: tuple(durables) for publisher, durables in table.get("consumers", {}).items()},
        worker=WorkerDeclaration(tuple(worker["servers"]), tuple(worker["peers"])) if worker else None,
    )
