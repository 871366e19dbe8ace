"""From a checkout and the caller's environment to what each part is started with; no process is."""

import base64
import json
from pathlib import Path

import pytest

from quantmesh.local.environment import Environment
from quantmesh.local.errors import LocalError
from quantmesh.local.logs import MAX_BYTES, rotate, tail
from quantmesh.local.operator import EMAIL, password_of
from quantmesh.local.secrets import Secrets
from quantmesh.local.settings import LocalSettings
from quantmesh.local.workspace import Workspace

AUTH = """
[tool.quantmesh]
grpc_port = 15051
ops_port = 9101
servers = ["postgres", "redis"]
peers = []

[tool.quantmesh.environment]
QUANTMESH_AUTH_KEY = "${key:signing}"
QUANTMESH_AUTH_SERVICE_SECRETS = "${service_secrets}"
QUANTMESH_AUTH_OPERATOR = "${operator_email} ${operator_password}"
"""
EDGE = """
[tool.quantmesh]
http_port = 8080
ops_port = 9100
servers = ["nats"]
peers = ["auth"]

[tool.quantmesh.environment]
QUANTMESH_EDGE_FOLDER = "${data}/files"
"""
SERVERS = {
    "postgres": "postgresql://postgres:super@127.0.0.1:15432/postgres",
    "nats": "nats://127.0.0.1:14222",
    "redis": "redis://127.0.0.1:16379/0",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in (("auth", AUTH), ("edge", EDGE)):
        folder = tmp_path / "services" / name
        folder.mkdir(parents=True)
        (folder / "pyproject.toml").write_text(text)
    return tmp_path


def environment_of(checkout: Path, service: str, **environ: str) -> dict[str, str]:
    settings = LocalSettings(Workspace.read(checkout), environ)
    settings.state_folder.mkdir(exist_ok=True)
    environment = Environment(settings, Secrets(settings.secrets_file), SERVERS)
    return environment.of_service(next(each for each in settings.workspace.services if each.name == service))


def test_a_service_gets_the_servers_and_peers_that_it_declares_and_no_others(checkout: Path) -> None:
    variables = environment_of(checkout, "edge")
    assert variables["QUANTMESH_NATS_URL"] == SERVERS["nats"]
    assert variables["QUANTMESH_AUTH_TARGET"] == "127.0.0.1:15051"
    assert variables["QUANTMESH_EDGE_BIND"] == "127.0.0.1:8080"
    assert variables["QUANTMESH_OPS_BIND"] == "127.0.0.1:9100"
    assert "QUANTMESH_DATABASE_URL" not in variables
    assert "QUANTMESH_REDIS_URL" not in variables


def test_a_service_never_sees_the_superuser_or_the_migrator(checkout: Path) -> None:
    admin = SERVERS["postgres"]
    variables = environment_of(checkout, "auth", QUANTMESH_POSTGRES_ADMIN_URL=admin)
    assert variables["QUANTMESH_DATABASE_URL"].startswith("postgresql://quantmesh_auth:")
    assert variables["QUANTMESH_DATABASE_URL"].endswith("@127.0.0.1:15432/quantmesh")
    assert not any("super" in value or "migrator" in value for value in variables.values())


def test_placeholders_become_secrets_that_stay_the_same(checkout: Path) -> None:
    first, second = environment_of(checkout, "auth"), environment_of(checkout, "auth")
    assert first == second
    assert len(base64.b64decode(first["QUANTMESH_AUTH_KEY"], validate=True)) == 32
    secrets = json.loads(first["QUANTMESH_AUTH_SERVICE_SECRETS"])
    assert set(secrets) == {"auth", "edge"}
    assert secrets["auth"] == first["QUANTMESH_SERVICE_SECRET"]
    password = password_of(Secrets(checkout / ".quantmesh" / "secrets.json"))
    assert first["QUANTMESH_AUTH_OPERATOR"] == f"{EMAIL} {password}"


def test_a_folder_of_its_own_is_made_for_a_service(checkout: Path) -> None:
    folder = Path(environment_of(checkout, "edge")["QUANTMESH_EDGE_FOLDER"])
    assert folder.parent == checkout / ".quantmesh" / "data" / "edge"
    assert folder.parent.is_dir()


def test_what_the_caller_sets_wins_over_what_is_declared(checkout: Path) -> None:
    variables = environment_of(checkout, "edge", QUANTMESH_EDGE_FOLDER="/elsewhere", QUANTMESH_EDGE_HTTP_PORT="9999")
    assert variables["QUANTMESH_EDGE_FOLDER"] == "/elsewhere"
    assert variables["QUANTMESH_EDGE_BIND"] == "127.0.0.1:9999"


@pytest.mark.parametrize("text", ["", "zero", "-1", "0", "65536", "8080.0", "²"])
def test_a_port_that_is_none_is_named(checkout: Path, text: str) -> None:
    with pytest.raises(LocalError, match="QUANTMESH_EDGE_HTTP_PORT is"):
        environment_of(checkout, "edge", QUANTMESH_EDGE_HTTP_PORT=text)


@pytest.mark.parametrize("placeholder", ["${nothing}", "${secret}", "${data:name}"])
def test_an_unknown_placeholder_is_named(checkout: Path, placeholder: str) -> None:
    project = checkout / "services" / "edge" / "pyproject.toml"
    project.write_text(EDGE.replace("${data}", placeholder))
    with pytest.raises(LocalError, match="is not a known placeholder"):
        environment_of(checkout, "edge")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('["auth"]', '["nobody"]', "names peers that are not there: nobody"),
        ('["nats"]', '["oracle"]', "needs unknown servers"),
        ("[tool.quantmesh]", "[tool.other]", r"has no \[tool.quantmesh\]"),
    ],
)
def test_a_declaration_that_cannot_be_right_is_refused(checkout: Path, old: str, new: str, message: str) -> None:
    project = checkout / "services" / "edge" / "pyproject.toml"
    project.write_text(EDGE.split("[tool.quantmesh.environment]", maxsplit=1)[0].replace(old, new))
    with pytest.raises(LocalError, match=message):
        Workspace.read(checkout)


def test_only_servers_that_a_service_needs_are_started(checkout: Path) -> None:
    assert Workspace.read(checkout).servers == ("postgres", "nats", "redis")


def test_a_log_that_has_grown_is_emptied_and_its_lines_are_kept_beside(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_text("old line\n" * (MAX_BYTES // 9 + 1))
    with log.open("a") as writer:
        rotate(log)
        writer.write("new line\n")
    assert log.read_text() == "new line\n"
    assert tail(log.with_suffix(".log.1"), 2) == ["old line", "old line"]
