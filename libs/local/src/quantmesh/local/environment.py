"""The environment that each part of the mesh starts with: the addresses and secrets it needs, and no other's."""

import json
import re
from collections.abc import Callable, Mapping

from psycopg.conninfo import conninfo_to_dict

from quantmesh.chassis.provision import DATABASE, MIGRATOR
from quantmesh.local import allocator, operator
from quantmesh.local.errors import LocalError
from quantmesh.local.network import LOOPBACK
from quantmesh.local.secrets import Secrets
from quantmesh.local.settings import LocalSettings
from quantmesh.local.workspace import ServiceDeclaration

_PLACEHOLDER = re.compile(r"\$\{([a-z_]+)(?::([a-z0-9_-]+))?\}")


class Environment:
    """`servers` holds the address of each server; that of Postgres is an administrator's."""

    def __init__(self, settings: LocalSettings, secrets: Secrets, servers: Mapping[str, str]) -> None:
        self._settings = settings
        self._secrets = secrets
        self._servers = servers

    @property
    def admin_url(self) -> str:
        """Postgres' superuser."""
        return self._servers["postgres"]

    def of_service(self, service: ServiceDeclaration) -> dict[str, str]:
        """What `python -m quantmesh.<service>` reads."""
        variables = self._inherited() | {
            "QUANTMESH_ENVIRONMENT": "local",
            "QUANTMESH_SERVICE_SECRET": self._service_secret(service.name),
            **allocator.OF_SERVICES,
        }
        for kind in service.ports:
            port = self._settings.service_port(service, kind).port
            # What a service listens on for the world is its own setting.
            owner = service.name.upper() if kind == "http" else kind.upper()
            variables[f"QUANTMESH_{owner}_BIND"] = f"{LOOPBACK}:{port}"
        for server in service.servers:
            if server == "postgres":
                variables["QUANTMESH_DATABASE_URL"] = self._database_url(f"quantmesh_{service.name}", service.name)
            else:
                variables[f"QUANTMESH_{server.upper()}_URL"] = self._servers[server]
        for peer in self._settings.workspace.services:
            if peer.name != service.name and (peer.name in service.peers or peer.name == "auth"):
                target = f"{LOOPBACK}:{self._settings.service_port(peer, 'grpc').port}"
                variables[f"QUANTMESH_{peer.name.upper()}_TARGET"] = target
        for name, template in service.environment.items():
            # A value that the user has set wins over the declared one.
            variables.setdefault(name, _PLACEHOLDER.sub(lambda match: self._expand(service, match), template))
        return variables

    def of_database_setup(self) -> dict[str, str]:
        """What `quantmesh.local.database` reads: administrator rights, and every role's password."""
        services = [service.name for service in self._settings.workspace.services if "postgres" in service.servers]
        variables = self._inherited() | {
            "QUANTMESH_ADMIN_URL": self._servers["postgres"],
            "QUANTMESH_MIGRATION_URL": self._database_url(MIGRATOR, "migrator"),
            "QUANTMESH_SERVICES": ",".join(services),
        }
        for name in (*services, "migrator"):
            variables[f"QUANTMESH_{name.upper()}_DATABASE_PASSWORD"] = self._database_password(name)
        return variables

    def _inherited(self) -> dict[str, str]:
        """The caller's, without the addresses that are given to each part on purpose."""
        left_out = {
            "QUANTMESH_POSTGRES_ADMIN_URL",
            "QUANTMESH_NATS_URL",
            "QUANTMESH_REDIS_URL",
            "QUANTMESH_EVM_URL",
            # Eight services that compile every module anew at each start take twice as long.
            "PYTHONDONTWRITEBYTECODE",
        }
        return {name: value for name, value in self._settings.environ.items() if name not in left_out}

    def _database_url(self, role: str, owner: str) -> str:
        at = conninfo_to_dict(self._servers["postgres"])
        address = f"{at.get('host', LOOPBACK)}:{at.get('port', 5432)}"
        return f"postgresql://{role}:{self._database_password(owner)}@{address}/{DATABASE}"

    def _database_password(self, owner: str) -> str:
        return self._secrets.get(f"database_{owner}")

    def _service_secret(self, service: str) -> str:
        return self._secrets.get(f"service_{service}")

    def _expand(self, service: ServiceDeclaration, match: re.Match[str]) -> str:
        """The placeholders that libs/local/README.md lists."""
        kind, name = match.groups()
        values: dict[str, Callable[[], str]] = {
            "data": lambda: self._data_folder(service),
            "workspace": lambda: str(self._settings.workspace.root),
            "operator_email": lambda: operator.EMAIL,
            "operator_password": lambda: operator.password_of(self._secrets),
            "service_secrets": self._service_secrets,
            "secret": lambda: self._secrets.get(name),
            "key": lambda: self._secrets.key(name),
        }
        if kind not in values or (kind in {"secret", "key"}) != (name is not None):
            raise LocalError(f"services/{service.name}/pyproject.toml: {match.group()} is not a known placeholder.")
        return values[kind]()

    def _service_secrets(self) -> str:
        names = [service.name for service in self._settings.workspace.services]
        return json.dumps({name: self._service_secret(name) for name in names})

    def _data_folder(self, service: ServiceDeclaration) -> str:
        folder = self._settings.data(service.name)
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)
