"""The main job against the images: `make demo-containers`.

Every service and worker of the development chart runs from its image as the chart says, on this machine's network, with
the servers of `make up`, after the chart's own migrations. All ends with this program.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path

from chart_containers import ROOT, Container, containers

from quantmesh.local.environment import Environment
from quantmesh.local.network import LOOPBACK, free_port, http_status
from quantmesh.local.operator import Operator, operator_of
from quantmesh.local.plans import embedded_servers, local_environment
from quantmesh.local.secrets import Secrets
from quantmesh.local.settings import LocalSettings
from quantmesh.local.supervisor import make_folders
from quantmesh.local.testing.mesh import free_ports
from quantmesh.local.testing.running import running
from quantmesh.local.workspace import Workspace

TOOLS = ("podman", "runc")
_MIGRATION_SECONDS, _START_SECONDS, _DEMO_SECONDS, _PODMAN_SECONDS = 180.0, 180.0, 300.0, 60.0
_ADDRESSES = ("_BIND", "_TARGET", "_URL")


class DemoFailed(Exception):
    """A sentence about what went wrong, with the last lines of whoever it was."""


def main() -> int:
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        sys.stdout.write(f"skipped: containers need {', '.join(missing)}, which is not installed here\n")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        demonstrate()
    except (DemoFailed, subprocess.TimeoutExpired) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


def demonstrate() -> None:
    wanted = containers("dev")
    images = {image: found for image in {each.image for each in wanted} if (found := newest(image))}
    if unbuilt := {each.image for each in wanted} - images.keys():
        msg = f"not built: {', '.join(sorted(unbuilt))}; make images builds all"
        raise DemoFailed(msg)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="quantmesh-")))
        # Postgres runs as another user where this is root.
        folder.chmod(0o711)
        workspace = Workspace.read(ROOT)
        # Nothing of the caller's environment reaches a container.
        settings = LocalSettings(workspace, {"QUANTMESH_STATE_FOLDER": str(folder / "state"), **free_ports(workspace)})
        make_folders(settings)
        secrets = Secrets(settings.secrets_file)
        for server in embedded_servers(settings, secrets):
            stack.enter_context(running(server, settings.logs / f"{server.name}.log"))
        local = local_environment(settings, secrets)
        mesh = stack.enter_context(mesh_of(images, settings, local))
        for container in wanted:
            if container.component == "job":
                mesh.run_to_end(container)
        for container in wanted:
            if container.component != "job":
                mesh.start(container)
        mesh.wait_until_ready()
        operator = operator_of(secrets, settings.gateway_address or "")
        run_main_job(settings, operator)
        mesh.stop()


def newest(image: str) -> str | None:
    """The tag that was built last."""
    names = ("--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference=*/{image}")
    listed = podman("images", "--sort", "created", *names).split()
    return listed[0] if listed else None


class Mesh:
    """The containers that run. Names begin with this process's id, so that two runs are not in each other's way."""

    def __init__(self, images: Mapping[str, str], settings: LocalSettings, local: Environment) -> None:
        self._images = images
        self._settings = settings
        self._local = local
        self._running: dict[str, Container] = {}
        self._ops_ports: dict[str, int] = {}

    def run_to_end(self, container: Container) -> None:
        described = " ".join((container.image, *container.command, *container.arguments))
        began = time.monotonic()
        name = self._run(container, self._local.of_database_setup())
        if (code := podman("wait", name, seconds=_MIGRATION_SECONDS).strip()) != "0":
            msg = f"{container.part}: {described} ended with {code}\n{last_words(name)}"
            raise DemoFailed(msg)
        say(f"{container.part}: {described} {time.monotonic() - began:.1f} s")

    def start(self, container: Container) -> None:
        service = container.part.removesuffix("-worker")
        (declaration,) = (each for each in self._settings.workspace.services if each.name == service)
        environment = self._local.of_service(declaration)
        if container.component == "worker":
            environment["QUANTMESH_OPS_BIND"] = f"{LOOPBACK}:{free_port()}"
        self._ops_ports[self._run(container, environment)] = int(environment["QUANTMESH_OPS_BIND"].rpartition(":")[2])

    def wait_until_ready(self) -> None:
        began = time.monotonic()
        waiting = dict(self._ops_ports)
        while waiting:
            for name, port in list(waiting.items()):
                if http_status(port, "/startupz") == HTTPStatus.OK:
                    say(f"{self._running[name].part} is ready after {time.monotonic() - began:.1f} s")
                    del waiting[name]
                elif podman("inspect", "--format", "{{.State.Running}}", name).strip() != "true":
                    msg = f"{self._running[name].part} has ended\n{last_words(name)}"
                    raise DemoFailed(msg)
            if waiting and time.monotonic() - began > _START_SECONDS:
                name = next(iter(waiting))
                msg = f"{self._running[name].part} is not ready after {_START_SECONDS:.0f} s\n{last_words(name)}"
                raise DemoFailed(msg)
            time.sleep(0.2)

    def stop(self) -> None:
        """As a node would: the signal, and the chart's grace."""
        codes = {}
        for name in self._ops_ports:
            container = self._running[name]
            podman(
                "stop", "--time", str(container.grace_seconds), name, seconds=container.grace_seconds + _PODMAN_SECONDS
            )
            codes[container.part] = podman("inspect", "--format", "{{.State.ExitCode}}", name).strip()
        if wrong := {part: code for part, code in codes.items() if code != "0"}:
            msg = f"told to stop, these ended otherwise than with 0: {wrong}"
            raise DemoFailed(msg)
        say("all stopped when told to, with 0")

    def remove(self) -> None:
        if self._running:
            run("podman", "rm", "--force", "--time", "0", *self._running)

    def _run(self, container: Container, known: Mapping[str, str]) -> str:
        name = f"quantmesh-{os.getpid()}-{len(self._running)}-{container.part}"
        self._running[name] = container
        environment = self._environment_of(container, known)
        volumes = {claim: self._volume(claim) for claim in container.volumes}
        podman(*container.podman(name, self._images[container.image], environment, volumes))
        return name

    def _environment_of(self, container: Container, known: Mapping[str, str]) -> dict[str, str]:
        """The chart's, with what it takes from the cluster: secrets, and addresses, from this machine instead."""
        if missing := container.secrets - known.keys():
            msg = (
                f"{container.part} is given {', '.join(sorted(missing))} by the chart, which a local mesh does not know"
            )
            raise DemoFailed(msg)
        addresses = {name for name in container.environment if name.endswith(_ADDRESSES)}
        here = {name: known[name] for name in container.secrets | addresses}
        # There is no collector.
        return {name: value for name, value in container.environment.items() if "_OTLP_" not in name} | here

    def _volume(self, claim: str) -> Path:
        folder = self._settings.data(claim)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)
        return folder


@contextmanager
def mesh_of(images: Mapping[str, str], settings: LocalSettings, local: Environment) -> Iterator[Mesh]:
    mesh = Mesh(images, settings, local)
    try:
        yield mesh
    finally:
        mesh.remove()


def run_main_job(settings: LocalSettings, operator: Operator) -> None:
    operator.write(settings.operator_file)
    alter = f"{sys.executable} -m quantmesh.local alter"
    program = str(Path(sys.executable).with_name("quantmesh"))
    command = [program, "demo", "--operator", str(settings.operator_file), "--alter", alter]
    done = subprocess.run(  # noqa: S603 - our own command
        command, cwd=ROOT, env={**os.environ, **settings.environ}, timeout=_DEMO_SECONDS, check=False
    )
    if done.returncode:
        msg = f"the main job ended with {done.returncode}"
        raise DemoFailed(msg)


def podman(*arguments: str, seconds: float = _PODMAN_SECONDS) -> str:
    done = run("podman", *arguments, seconds=seconds)
    if done.returncode:
        msg = f"podman {arguments[0]} {arguments[-1]}: {done.stderr.strip()}"
        raise DemoFailed(msg)
    return done.stdout


def run(*command: str, seconds: float = _PODMAN_SECONDS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)  # noqa: S603 - our own command


def last_words(name: str) -> str:
    done = run("podman", "logs", "--tail", "12", name)
    return done.stdout + done.stderr


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
