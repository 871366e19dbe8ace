"""Schemas are migrated by one Job of a release, before the new code runs, and by nothing else."""

import pytest
from objects import Workload
from release import Release, declarations
from rendering import UMBRELLA, environments, render

_HOOK = "helm.sh/hook"
_WITH_A_SCHEMA = {name for name, declaration in declarations().items() if "postgres" in declaration.servers}


@pytest.fixture(name="upgrade", params=environments())
def _upgrade(request: pytest.FixtureRequest) -> Release:
    return Release(request.param, tuple(render(UMBRELLA, request.param, revision=7)))


def _job(release: Release) -> Workload:
    [job] = [workload for workload in release.workloads() if workload.kind == "Job"]
    return job


def test_every_schema_is_migrated_by_its_own_services_image(release: Release) -> None:
    job = _job(release)
    assert {container.name for container in job.pod.containers} == _WITH_A_SCHEMA
    for container in job.pod.containers:
        assert container.args == ["migrate"]
        assert f"quantmesh-{container.name}:" in container.image


def test_no_other_pod_migrates(release: Release) -> None:
    others = [workload for workload in release.workloads() if workload.kind != "Job"]
    words = {word for w in others for c in w.pod.all_containers for word in (*c.command, *c.args)}
    assert "migrate" not in words


def test_the_first_installation_waits_for_its_migrations_and_does_not_hang_on_them(release: Release) -> None:
    """A hook would have to end before Postgres is there."""
    assert _HOOK not in _job(release).metadata.annotations


def test_an_upgrade_migrates_before_any_pod_of_the_new_code(upgrade: Release) -> None:
    job = _job(upgrade)
    assert job.metadata.annotations[_HOOK] == "pre-upgrade"
    assert job.name.endswith("-7"), "a Job cannot be changed: each revision has its own"


def test_what_the_migrations_of_an_upgrade_need_was_there_before(upgrade: Release) -> None:
    """A hook runs before the release's other objects are applied: it may name none that only this revision makes."""
    before = {str(manifest) for manifest in render(UMBRELLA, upgrade.name)}
    pod = _job(upgrade).pod
    secrets = {
        variable.value_from.secret_key_ref.name
        for container in pod.all_containers
        for variable in container.env
        if variable.value_from and variable.value_from.secret_key_ref
    }
    made = {name.partition("/")[2] for name in before if name.startswith(("Secret/", "ExternalSecret/"))}
    assert f"ServiceAccount/{pod.service_account_name}" in before
    assert secrets <= made


def test_what_failed_can_be_read(release: Release) -> None:
    """Kubernetes takes the pod of a Job that gave up, where its containers were restarted in place."""
    assert _job(release).pod.restart_policy == "Never"
