"""The main job against the images that were built here last; nothing is built."""

import shutil
import subprocess
import sys
from pathlib import Path

import demo_containers
import images
import pytest
from chart_containers import Container, containers_of

SCRIPT = Path(demo_containers.__file__)


def missing() -> str:
    if absent := [tool for tool in demo_containers.TOOLS if shutil.which(tool) is None]:
        return f"{', '.join(absent)} is not installed"
    if not (SCRIPT.parent.parent / ".venv-ops").exists():
        return "the charts' own packages are not installed: make charts"
    wanted = {image.name: images.tag_of(image) for image in images.images()}
    unbuilt = [name for name, tag in wanted.items() if demo_containers.newest(f"quantmesh-{name}") != tag]
    return f"not built of this commit: {', '.join(unbuilt)}; make images" if unbuilt else ""


@pytest.mark.timeout(900)
def test_the_main_job_passes_against_the_images() -> None:
    if reason := missing():
        pytest.skip(reason)
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-4000:]}{done.stderr[-4000:]}"


def pod(**container: object) -> list[dict[str, object]]:
    """A Deployment as a chart renders one, of what is looked at here."""
    security = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    whole = {
        "name": "service",
        "image": "registry.example/team/quantmesh-auth:1.2.3",
        "env": [
            {"name": "QUANTMESH_DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "postgres-auth", "key": "url"}}},
            {"name": "QUANTMESH_DSN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "dsn", "optional": True}}},
        ],
        "envFrom": [{"configMapRef": {"name": "auth"}}],
        "resources": {"limits": {"cpu": "500m", "memory": "512Mi"}},
        "securityContext": security,
        "volumeMounts": [{"name": "tmp", "mountPath": "/scratch"}],
        **container,
    }
    labels = {"app.kubernetes.io/component": "service", "app.kubernetes.io/part-of": "quantmesh"}
    spec = {
        "securityContext": {"runAsUser": 10001, "runAsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 24,
        "containers": [whole],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "128Mi"}}],
    }
    deployment = {"kind": "Deployment", "metadata": {"name": "auth", "labels": labels}}
    return [
        {**deployment, "spec": {"template": {"spec": spec}}},
        {"kind": "ConfigMap", "metadata": {"name": "auth"}, "data": {"QUANTMESH_LOG_LEVEL": "DEBUG"}},
    ]


def arguments_of(container: Container) -> str:
    return " ".join(container.podman("a-name", "an-image", {"A": "b"}, {}))


@pytest.fixture
def rendered() -> Container:
    (container,) = containers_of(pod())
    return container


def test_podman_gets_the_limits_user_root_and_rights_of_the_chart(rendered: Container) -> None:
    arguments = arguments_of(rendered)
    for expected in (
        "--user 10001:10001",
        "--read-only --read-only-tmpfs=false",
        "--security-opt no-new-privileges",
        "--cap-drop ALL",
        "--cpus 0.5",
        "--memory 512m --memory-swap 512m",
        "--tmpfs /scratch:rw,mode=1777,size=128m",
    ):
        assert expected in arguments


def test_a_container_knows_what_is_said_openly_and_which_secrets_it_must_be_given(rendered: Container) -> None:
    assert rendered.image == "quantmesh-auth"
    assert rendered.environment == {"QUANTMESH_LOG_LEVEL": "DEBUG"}
    assert rendered.secrets == {"QUANTMESH_DATABASE_URL"}
    assert rendered.grace_seconds == 24


def test_a_command_replaces_that_of_the_image_and_arguments_follow_it() -> None:
    (container,) = containers_of(pod(command=["python", "-m", "there"], args=["migrate"]))
    assert arguments_of(container).endswith('--entrypoint ["python", "-m", "there"] an-image migrate')


def test_a_size_that_is_no_power_of_two_is_refused() -> None:
    with pytest.raises(ValueError, match="512M is no size in Mi or Gi"):
        containers_of(pod(resources={"limits": {"cpu": 1, "memory": "512M"}}))
