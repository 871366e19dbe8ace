"""NATS reads what the chart writes: checked by the server itself, where `make setup` has installed it."""

import re
import subprocess
from pathlib import Path

import pytest
from environment import environment_of
from objects import Container
from release import ROOT, Release

SERVER = ROOT / ".venv" / "bin" / "nats-server"

# What the kubelet puts another variable in place of.
_REFERENCE = re.compile(r"\$\((\w+)\)")

needs_server = pytest.mark.skipif(not SERVER.exists(), reason="nats-server comes with `make setup`")


def nats(release: Release) -> Container:
    [container] = [c for w in release.workloads() if w.name == "nats" for c in w.pod.containers]
    return container


@pytest.fixture(name="configuration")
def _configuration(release: Release, tmp_path: Path) -> Path:
    if release.beside:
        pytest.skip("the other colour's release has the servers")
    path = tmp_path / "nats.conf"
    path.write_text(release.config_maps()["nats"].data["nats.conf"])
    return path


def environ_of(release: Release) -> dict[str, str]:
    environ = environment_of(release, nats(release)) | {"POD_NAME": "nats-0"}
    return {name: _REFERENCE.sub(lambda found: environ[found[1]], value) for name, value in environ.items()}


def check(configuration: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [str(SERVER), "-t", "-c", str(configuration)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


@needs_server
def test_the_server_takes_its_configuration_with_the_environment_of_its_pod(
    release: Release, configuration: Path
) -> None:
    done = check(configuration, environ_of(release))
    assert done.returncode == 0, done.stderr


@needs_server
def test_a_password_that_is_missing_is_refused(release: Release, configuration: Path) -> None:
    environ = environ_of(release)
    del environ["NATS_PASSWORD_PORTFOLIO"]
    assert "NATS_PASSWORD_PORTFOLIO" in check(configuration, environ).stderr
