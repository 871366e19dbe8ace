"""Releases that a real Helm installs, upgrades, promotes and removes, on a cluster in memory."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import helm_python
import pytest
from cluster import Cluster, Object, running_cluster
from rendering import CHARTS, NAMESPACE, RELEASE, UMBRELLA, Values, laid_over, values_of

_GREEN = f"{RELEASE}-green"
_PATIENCE_SECONDS = 60

Objects = dict[tuple[str, str], Object]


class Operator:
    """Who deploys."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        # Helm's own records would be in a form of the API server's own.
        self.helm = helm_python.Config(
            kubeconfig_content=cluster.kubeconfig,
            namespace=NAMESPACE,
            storage_driver="memory",
            qps=1e4,
            burst_limit=10_000,
        )
        self._dev = values_of(UMBRELLA, "dev")

    def install(self, release: str, more: Values) -> Objects:
        self.helm.install(CHARTS / UMBRELLA, release, laid_over(self._dev, more), timeout=_PATIENCE_SECONDS)
        return copy.deepcopy(self._cluster.objects)

    def upgrade(self, release: str, more: Values) -> Objects:
        self.helm.upgrade(CHARTS / UMBRELLA, release, laid_over(self._dev, more), timeout=_PATIENCE_SECONDS)
        return copy.deepcopy(self._cluster.objects)

    def roll_back(self, release: str, revision: int) -> Objects:
        self.helm.rollback(release, version=revision, timeout=_PATIENCE_SECONDS)
        return copy.deepcopy(self._cluster.objects)

    def uninstall(self, release: str) -> Objects:
        self.helm.uninstall(release, timeout=_PATIENCE_SECONDS)
        return copy.deepcopy(self._cluster.objects)


@dataclass(frozen=True)
class Story:
    """What there was after each step."""

    installed: Objects
    upgraded: Objects
    beside: Objects
    promoted: Objects
    removed: Objects
    again: Objects


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with running_cluster() as cluster:
        operator = Operator(cluster)
        with operator.helm:
            yield Story(
                installed=operator.install(RELEASE, {}),
                upgraded=operator.upgrade(RELEASE, {"global": {"tag": "2"}}),
                beside=operator.install(_GREEN, {"global": {"tag": "3", "color": "green", "shared": False}}),
                promoted=operator.upgrade(RELEASE, {"global": {"tag": "2", "activeColor": "green"}}),
                removed=operator.uninstall(RELEASE),
                again=operator.install(RELEASE, {"global": {"tag": "2", "activeColor": "green"}}),
            )


def test_an_upgrade_brings_new_images_and_keeps_every_secret(story: Story) -> None:
    assert _image(story.installed, "auth") != _image(story.upgraded, "auth")
    assert _secrets(story.installed) == _secrets(story.upgraded) != {}


def test_migrations_run_anew_with_each_revision(story: Story) -> None:
    assert _jobs(story.installed) == {"migrations-1"}
    assert _jobs(story.upgraded) == {"migrations-2"}


def test_a_second_colour_changes_nothing_of_the_first(story: Story) -> None:
    assert {key: story.beside.get(key) for key in story.upgraded} == story.upgraded
    added = story.beside.keys() - story.upgraded.keys()
    assert ("deployments", "portfolio-worker-green") in added
    assert [name for _, name in added if "green" not in name] == []


def test_a_promotion_turns_users_and_common_work_to_the_other_colour(story: Story) -> None:
    def users_reach(objects: Objects) -> str:
        return str(objects["services", "gateway"]["spec"]["selector"]["quantmesh/color"])

    def is_paused(objects: Objects, part: str) -> bool:
        return "QUANTMESH_CONSUMERS_PAUSED" in objects["configmaps", part]["data"]

    assert (users_reach(story.beside), users_reach(story.promoted)) == ("blue", "green")
    assert is_paused(story.beside, "portfolio-green")
    assert not is_paused(story.beside, "portfolio")
    assert is_paused(story.promoted, "portfolio")


def test_what_a_removed_release_leaves_is_the_next_one_s(story: Story) -> None:
    """Keys and passwords that data is encrypted with or closed by, and the volume of models."""
    left = {key for key in story.removed if "green" not in key[1]}
    # A hook's Job goes by its own time to live.
    assert {kind for kind, _ in left} - {"jobs"} == {"secrets", "persistentvolumeclaims"}
    assert {("secrets", "auth"), ("secrets", "service-secrets"), ("secrets", "postgres-auth")} <= left
    assert _secrets(story.again) == _secrets(story.installed)


def _image(objects: Objects, name: str) -> str:
    return str(objects["deployments", name]["spec"]["template"]["spec"]["containers"][0]["image"])


def _secrets(objects: Objects) -> dict[str, object]:
    return {name: content["data"] for (kind, name), content in objects.items() if kind == "secrets"}


def _jobs(objects: Objects) -> set[str]:
    return {name for kind, name in objects if kind == "jobs"}
