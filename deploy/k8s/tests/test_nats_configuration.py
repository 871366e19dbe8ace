"""NATS reads what the chart writes: checked by the server itself, where `make setup` has installed it."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from environment import environment_of
from objects import Container
from release import ROOT, Release
from release import release as release_of

SERVER = ROOT / ".venv" / "bin" / "nats-server"

# What the kubelet puts another variable in place of.
_REFERENCE = re.compile(r"\$\((\w+)\)")

needs_server = pytest.mark.skipif(not SERVER.exists(), reason="nats-server comes with `make setup`")


def nats(release: Release) -> Container:
    [container] = [c for w in release.workloads() if w.name == "nats" for c in w.pod.containers if c.name == "nats"]
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


# Whose it is, by what its subjects begin with.
_LIVE = {"quotes": "market", "ticks": "market", "early": "portfolio"}
# What the server answers to a user that publishes to a subject.
Publish = Callable[[str, str], str]


@pytest.fixture(name="publish", scope="module")
def _publish(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publish]:
    """On the server of the development chart, but for its ports and folders."""
    folder, release = tmp_path_factory.mktemp("nats"), release_of("dev")
    configuration = folder / "nats.conf"
    configured = release.config_maps()["nats"].data["nats.conf"]
    configuration.write_text(configured.replace("store_dir: /data", f"store_dir: {folder}"))
    own = ["-a", "127.0.0.1", "-p", "-1", "-m", "-1", "-P", str(folder / "pid"), "--ports_file_dir", str(folder)]
    environ = environ_of(release)
    command = [str(SERVER), "-c", str(configuration), *own]
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as server:
        try:
            # Made when it listens, and written a moment later.
            while not (told := "".join(file.read_text() for file in folder.glob("*.ports"))):
                assert server.poll() is None
                time.sleep(0.02)
            port = int(json.loads(told)["nats"][0].rpartition(":")[2])
            yield lambda user, subject: _answer(port, user, environ.get(f"NATS_PASSWORD_{user.upper()}", ""), subject)
        finally:
            server.terminate()


def _answer(port: int, user: str, password: str, subject: str) -> str:
    """PONG, where it has nothing against it."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, connection.makefile("rwb") as stream:
        assert stream.readline().startswith(b"INFO")
        options = json.dumps({"verbose": False, "user": user, "pass": password})
        stream.write(f"CONNECT {options}\r\nPUB {subject} 0\r\n\r\nPING\r\n".encode())
        stream.flush()
        return stream.readline().decode().strip()


@needs_server
@pytest.mark.parametrize("subject", ["qm.market.bars.ingested.0", "qm.dead.market.drop", "quotes.AAPL", "ticks.replay"])
def test_a_service_publishes_in_its_own_name(publish: Publish, subject: str) -> None:
    assert publish("market", subject) == "PONG"


@needs_server
@pytest.mark.parametrize("subject", ["qm.auth.kyc.decided.3", "qm.portfolio.order.filled.0", "qm.dead.risk.limits"])
def test_a_service_publishes_in_no_other_name(publish: Publish, subject: str) -> None:
    """An order's fill by market, or a customer's approval, would be believed."""
    assert "Permissions Violation" in publish("market", subject)


@needs_server
def test_the_gateway_publishes_dead_letters_again(publish: Publish) -> None:
    assert publish("gateway", "qm.auth.kyc.decided.3") == "PONG"


@needs_server
@pytest.mark.parametrize("user", ["auth", "blockchain", "gateway", "market", "portfolio", "prediction", "risk"])
def test_what_is_told_live_comes_from_one_service(publish: Publish, user: str) -> None:
    """The venue would fill orders at anybody's prices."""
    for subject, owner in _LIVE.items():
        answer = publish(user, f"{subject}.anything")
        assert answer == "PONG" if user == owner else "Permissions Violation" in answer, subject


def test_what_the_code_tells_live_is_somebodys() -> None:
    named = re.compile(r'^(?:SUBJECT|EARLY) = "(\w+)\.', re.MULTILINE)
    code = "".join(path.read_text() for path in ROOT.glob("services/*/src/**/*.py"))
    assert set(named.findall(code)) - {"qm"} == _LIVE.keys()


@needs_server
@pytest.mark.parametrize("user", ["", "cluster", "nobody"])
def test_nobody_else_is_let_in(publish: Publish, user: str) -> None:
    assert "Authorization Violation" in publish(user, "quotes.AAPL")
