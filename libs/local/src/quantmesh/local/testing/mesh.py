"""A whole mesh for tests: on ports and a state folder of its own, so that one that runs already is left alone."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from quantmesh.local.logs import tail
from quantmesh.local.network import LOOPBACK, free_port, holder_of
from quantmesh.local.operator import Operator
from quantmesh.local.plans import local_environment
from quantmesh.local.secrets import Secrets
from quantmesh.local.settings import SERVER_PORTS, LocalSettings
from quantmesh.local.state import MeshReport, PartReport, read_report
from quantmesh.local.workspace import Workspace

PASSWORD = "violet-anchor-mosaic-7"  # noqa: S105  of users that live as long as a test
_UP_SECONDS = 300.0
_END_SECONDS = 30.0


class Mesh:
    """The running mesh as a client and as an operator see it."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self._root = root
        self._environ = {**environ}
        self._settings = LocalSettings(Workspace.read(root), environ)

    @property
    def url(self) -> str:
        address = self._settings.gateway_address
        if address is None:
            msg = "no service listens for HTTP"
            raise RuntimeError(msg)
        return address

    @property
    def operator_file(self) -> Path:
        return self._settings.operator_file

    @property
    def operator(self) -> Operator:
        return Operator(**json.loads(self.operator_file.read_text()))

    def server_port(self, server: str) -> int:
        return self._settings.server_port(server).port

    @property
    def ops_urls(self) -> dict[str, str]:
        """Where each service answers probes and /metrics."""
        return {
            service.name: f"http://{LOOPBACK}:{self._settings.service_port(service, 'ops').port}"
            for service in self._settings.workspace.services
        }

    @property
    def report(self) -> MeshReport:
        report = read_report(self._settings.state_folder / "state.json")
        if report is None:
            msg = "the mesh is down"
            raise RuntimeError(msg)
        return report

    @property
    def parts(self) -> list[str]:
        return [part.name for part in self.report.parts]

    def part(self, name: str) -> PartReport:
        return next(part for part in self.report.parts if part.name == name)

    def up(self) -> None:
        self._local("up")

    def down(self) -> None:
        self._local("down")

    def kill(self, name: str) -> None:
        """`kill -9` of a part's process."""
        pid = self.part(name).pid
        if pid is None:
            msg = f"{name} has no process"
            raise RuntimeError(msg)
        psutil.Process(pid).kill()

    @contextmanager
    def second_gateway(self) -> Iterator[str]:
        """Another replica of the gateway beside the first, for as long as this is open; its address."""
        secrets = Secrets(self._settings.secrets_file)
        gateway = next(each for each in self._settings.workspace.services if "http" in each.ports)
        address, ops = f"{LOOPBACK}:{free_port()}", f"{LOOPBACK}:{free_port()}"
        environ = local_environment(self._settings, secrets).of_service(gateway)
        environ |= {f"QUANTMESH_{gateway.name.upper()}_BIND": address, "QUANTMESH_OPS_BIND": ops}
        with (self._settings.logs / f"{gateway.name}-2.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603  our own module
                [sys.executable, "-m", f"quantmesh.{gateway.name}"], env=environ, stdout=log, stderr=log
            )
        try:
            _wait_until_ready(f"http://{ops}/startupz")
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(_END_SECONDS)

    def client(self, token: str = "") -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30.0)

    def login(self, email: str, password: str = PASSWORD) -> httpx.Client:
        with self.client() as anonymous:
            answer = anonymous.post("/api/v2/auth/login", json={"email": email, "password": password})
            answer.raise_for_status()
        return self.client(answer.json()["access_token"])

    def new_user(self) -> httpx.Client:
        """A client of an account made for this test."""
        email = f"user-{time.time_ns():x}@example.com"
        with self.client() as anonymous:
            body = {"email": email, "password": PASSWORD, "full_name": "Test User"}
            anonymous.post("/api/v2/auth/register", json=body).raise_for_status()
        return self.login(email)

    def _local(self, command: str) -> None:
        done = subprocess.run(  # noqa: S603  our own module
            [sys.executable, "-m", "quantmesh.local", command],
            cwd=self._root,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=_UP_SECONDS,
            check=False,
        )
        if done.returncode:
            logs = "".join(self._last_words())
            msg = f"`{command}` ended with {done.returncode}:\n{done.stdout}{done.stderr}\n{logs}"
            raise RuntimeError(msg)

    def _last_words(self) -> Iterator[str]:
        """Who holds the mesh's ports, and the ends of its logs: the folder is gone before anybody can look."""
        for variable, value in self._environ.items():
            if variable.startswith("QUANTMESH_") and variable.endswith("_PORT") and (holder := holder_of(int(value))):
                yield f"{variable} {value}: {holder}\n"
        for log in sorted(self._settings.logs.glob("*.log")):
            for line in tail(log, 3):
                yield f"{log.stem}: {line[:2000]}\n"


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + _UP_SECONDS
    while True:
        try:
            if httpx.get(url).is_success:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            msg = f"{url} is not ready"
            raise RuntimeError(msg)
        time.sleep(0.05)


def free_ports(workspace: Workspace) -> dict[str, str]:
    """The settings that put every part where nobody listens."""
    parts = [server.upper() for server in SERVER_PORTS]
    for service in workspace.services:
        parts += [f"{service.name.upper()}_{kind.upper()}" for kind in service.ports]
    return {f"QUANTMESH_{part}_PORT": str(free_port()) for part in parts}


@contextmanager
def running_mesh(root: Path, state_folder: Path, settings: Mapping[str, str]) -> Iterator[Mesh]:
    """Up on free ports, and down at the end whatever happened."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("QUANTMESH_")}
    environ |= free_ports(Workspace.read(root))
    mesh = Mesh(root, {**environ, "QUANTMESH_STATE_FOLDER": str(state_folder), **settings})
    try:
        mesh.up()
        yield mesh
    finally:
        mesh.down()
