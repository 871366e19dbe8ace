"""The supervisor over a small workspace of its own: real servers, and services that only say they are ready."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from quantmesh.local.network import free_port
from quantmesh.local.part import PartKind, PartState
from quantmesh.local.secrets import Secrets
from quantmesh.local.state import MeshReport, Phase, read_report

# Each starts a mesh, some of them twice.
pytestmark = pytest.mark.timeout(600)
DECLARATION = """\
[tool.quantmesh]
ops_port = {port}
servers = [{servers}]
peers = []

[tool.quantmesh.environment]
QUANTMESH_{upper}_FOLDER = "${{data}}"
"""
SERVICE = """\
import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/startupz" else 503)
        self.end_headers()
        self.wfile.write(os.environ["QUANTMESH_SERVICE_SECRET"].encode())

    def log_message(self, *_):
        pass


host, port = os.environ["QUANTMESH_OPS_BIND"].split(":")
print("serving", flush=True)
HTTPServer((host, int(port)), Ready).serve_forever()
"""
ENVIRONMENT = """\
from quantmesh.chassis.migration.environment import migrate

migrate()
"""
REVISION = """\
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("CREATE TABLE note (text text)")
"""


@dataclass
class Mesh:
    root: Path
    environ: dict[str, str]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "quantmesh.local", *command],
            cwd=self.root,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def up(self) -> None:
        done = self.run("up")
        assert done.returncode == 0, done.stdout + done.stderr

    def report(self) -> MeshReport:
        report = read_report(self.root / ".quantmesh" / "state.json")
        assert report is not None
        return report

    def pid(self, part: str) -> int:
        pid = next(each.pid for each in self.report().parts if each.name == part)
        assert pid is not None
        return pid

    def admin_url(self) -> str:
        password = Secrets(self.root / ".quantmesh" / "secrets.json").get("postgres_superuser")
        port = self.environ["QUANTMESH_POSTGRES_PORT"]
        return f"postgresql://postgres:{password}@127.0.0.1:{port}/quantmesh"


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    packages = tmp_path / "packages"
    for name, servers in (("alpha", '"postgres", "nats"'), ("beta", '"nats"')):
        folder = tmp_path / "services" / name
        folder.mkdir(parents=True)
        port = free_port()
        (folder / "pyproject.toml").write_text(DECLARATION.format(port=port, servers=servers, upper=name.upper()))
        package = packages / "quantmesh" / name
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(SERVICE)
    versions = packages / "quantmesh" / "alpha" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions.parent / "env.py").write_text(ENVIRONMENT)
    (versions / "0001_note.py").write_text(REVISION)
    environ = os.environ | {
        "PYTHONPATH": str(packages),
        "QUANTMESH_POSTGRES_PORT": str(free_port()),
        "QUANTMESH_NATS_PORT": str(free_port()),
    }
    mesh = Mesh(tmp_path, environ)
    yield mesh
    mesh.run("down")


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "not within a minute"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def is_back(mesh: Mesh, name: str, killed: int) -> bool:
    part = next(each for each in mesh.report().parts if each.name == name)
    return part.pid != killed and part.state is PartState.READY and part.restarts > 0


def test_up_returns_when_all_is_ready_and_down_leaves_nothing(mesh: Mesh) -> None:
    mesh.up()
    report = mesh.report()
    assert report.phase is Phase.READY
    assert [part.name for part in report.parts] == ["postgres", "nats", "alpha", "beta"]
    assert mesh.run("status").returncode == 0
    with psycopg.connect(mesh.admin_url()) as connection:
        assert connection.execute("SELECT count(*) FROM alpha.note").fetchone() == (0,)
    assert mesh.run("down").returncode == 0
    assert not any(alive(part.pid) for part in report.parts if part.pid)
    assert mesh.run("status").returncode == 1


def test_rows_and_secrets_outlive_a_restart_of_the_mesh(mesh: Mesh) -> None:
    mesh.up()
    with psycopg.connect(mesh.admin_url()) as connection:
        connection.execute("INSERT INTO alpha.note VALUES ('kept')")
    mesh.run("down")
    mesh.up()
    with psycopg.connect(mesh.admin_url()) as connection:
        assert connection.execute("SELECT text FROM alpha.note").fetchall() == [("kept",)]
    secrets = mesh.root / ".quantmesh" / "secrets.json"
    assert secrets.stat().st_mode & 0o777 == 0o600


def test_a_killed_part_comes_back(mesh: Mesh) -> None:
    mesh.up()
    for part in ("alpha", "postgres", "nats"):
        killed = mesh.pid(part)
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: is_back(mesh, part, killed))  # noqa: B023 - called before the next round


def test_nothing_outlives_a_killed_supervisor(mesh: Mesh) -> None:
    mesh.up()
    report = mesh.report()
    os.kill(report.supervisor, signal.SIGKILL)
    wait_for(lambda: not any(alive(part.pid) for part in report.parts if part.pid))
    mesh.up()


def test_a_taken_port_is_named_with_its_setting_and_nothing_is_started(mesh: Mesh) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", mesh.environ["QUANTMESH_NATS_PORT"]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as other:
        try:
            port = int(mesh.environ["QUANTMESH_NATS_PORT"])
            wait_for(lambda: any(each.laddr.port == port for each in psutil.Process(other.pid).net_connections()))
            done = mesh.run("up")
        finally:
            other.kill()
    assert done.returncode == 1
    assert f"Port {port} of nats is taken by" in done.stderr
    assert "QUANTMESH_NATS_PORT" in done.stderr
    assert mesh.run("status").returncode == 1


def test_a_server_given_by_address_is_used_and_not_started(mesh: Mesh) -> None:
    mesh.environ["QUANTMESH_NATS_URL"] = "nats://127.0.0.1:1"
    mesh.up()
    assert "nats" not in [part.name for part in mesh.report().parts]


def test_a_mesh_that_is_up_stays_as_it_is_when_started_again(mesh: Mesh) -> None:
    mesh.up()
    before = mesh.report()
    mesh.up()
    assert mesh.report() == before
    services = [part for part in before.parts if part.kind is PartKind.SERVICE]
    secrets = {httpx.get(f"http://{part.address}/startupz", timeout=60).text for part in services}
    assert len(secrets) == len(services) == 2
    assert mesh.run("logs", "alpha").stdout == "serving\n"
    assert "There is no log of 'gamma'" in mesh.run("logs", "gamma").stderr
