"""From settings to plans: which servers to start, how each service is run, and which ports must be free."""

import shutil
import sys
from http import HTTPStatus
from pathlib import Path

from quantmesh.local.child import ChildProcess
from quantmesh.local.environment import Environment
from quantmesh.local.errors import PortTaken
from quantmesh.local.network import LOOPBACK, holder_of, http_status, is_free
from quantmesh.local.part import PartKind, PartPlan
from quantmesh.local.secrets import Secrets
from quantmesh.local.servers import (
    EmbeddedServer,
    EvmNode,
    NatsServer,
    PostgresServer,
    PrometheusServer,
    RedisServer,
)
from quantmesh.local.settings import LocalSettings
from quantmesh.local.workspace import ServiceDeclaration


def embedded_servers(settings: LocalSettings, secrets: Secrets) -> list[EmbeddedServer]:
    """Those that a service needs and whose address is not given."""
    wanted = [name for name in settings.workspace.servers if settings.server_address(name) is None]
    return [_server(name, settings, secrets) for name in wanted]


def observers(settings: LocalSettings) -> list[EmbeddedServer]:
    """Those that the caller's path has."""
    program = shutil.which("prometheus", path=settings.environ.get("PATH"))
    rules = settings.workspace.root / "deploy" / "observability" / "rules"
    if program is None or not rules.exists():
        return []
    targets = {service.name: settings.service_port(service, "ops").port for service in settings.workspace.services}
    port = settings.server_port("prometheus").port
    return [PrometheusServer(settings.data("prometheus"), port, Path(program), rules, targets)]


def local_environment(settings: LocalSettings, secrets: Secrets) -> Environment:
    """Over the embedded servers, and over those whose addresses are given."""
    addresses = {server.name: server.url for server in embedded_servers(settings, secrets)}
    for name in settings.workspace.servers:
        given = settings.server_address(name)
        if given is not None:
            addresses[name] = given
    return Environment(settings, secrets, addresses)


def server_plan(server: EmbeddedServer, settings: LocalSettings, kind: PartKind = PartKind.SERVER) -> PartPlan:
    log = settings.logs / f"{server.name}.log"
    return PartPlan(
        name=server.name,
        kind=kind,
        address=f"{LOOPBACK}:{server.port}",
        log=log,
        new_child=lambda: server.child(log),
        prepare=server.prepare,
        is_ready=server.is_ready,
    )


def service_plan(service: ServiceDeclaration, settings: LocalSettings, environment: Environment) -> PartPlan:
    log = settings.logs / f"{service.name}.log"
    ops_port = settings.service_port(service, "ops").port
    public = next(kind for kind in ("http", "grpc", "ops") if kind in service.ports)
    scheme = "http://" if public == "http" else ""
    return PartPlan(
        name=service.name,
        kind=PartKind.SERVICE,
        address=f"{scheme}{LOOPBACK}:{settings.service_port(service, public).port}",
        log=log,
        new_child=lambda: _service_child(service, settings, environment, log),
        prepare=lambda: None,
        is_ready=lambda: http_status(ops_port, "/startupz") == HTTPStatus.OK,
    )


def require_free_ports(settings: LocalSettings, servers: list[EmbeddedServer]) -> None:
    """Before anything starts: a clash found later would leave half a mesh behind."""
    wanted = [(server.name, settings.server_port(server.name)) for server in servers]
    for service in settings.workspace.services:
        wanted += [(service.name, settings.service_port(service, kind)) for kind in service.ports]
    for part, setting in wanted:
        if not is_free(setting.port):
            raise PortTaken(part, setting.port, setting.variable, holder_of(setting.port))


def _server(name: str, settings: LocalSettings, secrets: Secrets) -> EmbeddedServer:
    folder, port = settings.data(name), settings.server_port(name).port
    match name:
        case "postgres":
            return PostgresServer(folder, port, secrets.get("postgres_superuser"))
        case "nats":
            return NatsServer(folder, port)
        case "redis":
            return RedisServer(folder, port)
        case "evm":
            return EvmNode(folder, port, settings.workspace.root)
    raise AssertionError(name)


def _service_child(
    service: ServiceDeclaration, settings: LocalSettings, environment: Environment, log: Path
) -> ChildProcess:
    return ChildProcess(
        service.name,
        [sys.executable, "-m", f"quantmesh.{service.name}"],
        log,
        environment=environment.of_service(service),
        folder=settings.workspace.root,
    )
