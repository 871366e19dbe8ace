"""What docs/operations.md tells an operator to do, done by a real Helm on a cluster in memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cluster import running_cluster
from rendering import RELEASE
from test_installing import Objects, Operator

_ROTATED = ("secrets", "postgres-auth")
_AUTH = ("deployments", "auth")


@dataclass(frozen=True)
class Story:
    """What there was after each step."""

    upgraded: Objects
    rolled_back: Objects
    rotated: Objects
    scaled: Objects


@pytest.fixture(name="story", scope="module")
def _story() -> Iterator[Story]:
    with running_cluster() as cluster:
        operator = Operator(cluster)
        with operator.helm:
            operator.install(RELEASE, {"global": {"tag": "1"}})
            upgraded = operator.upgrade(RELEASE, {"global": {"tag": "2"}})
            rolled_back = operator.roll_back(RELEASE, 1)
            cluster.objects.pop(_ROTATED)
            rotated = operator.upgrade(RELEASE, {"global": {"tag": "1"}})
            scaled = operator.upgrade(RELEASE, {"global": {"tag": "1"}, "auth": {"replicas": 4}})
            yield Story(upgraded, rolled_back, rotated, scaled)


def _image(objects: Objects) -> str:
    return str(objects[_AUTH]["spec"]["template"]["spec"]["containers"][0]["image"])


def _secrets(objects: Objects) -> dict[str, object]:
    return {
        name: each.get("data") or each.get("stringData") for (kind, name), each in objects.items() if kind == "secrets"
    }


def test_rolling_back_brings_the_images_of_before_and_keeps_every_secret(story: Story) -> None:
    assert (_image(story.upgraded)[-2:], _image(story.rolled_back)[-2:]) == (":2", ":1")
    assert _secrets(story.rolled_back) == _secrets(story.upgraded)


def test_a_deleted_password_is_made_anew_by_the_next_upgrade_and_no_other_is(story: Story) -> None:
    before, after = _secrets(story.rolled_back), _secrets(story.rotated)
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} == {_ROTATED[1]}


def test_replicas_are_a_value(story: Story) -> None:
    assert story.rotated[_AUTH]["spec"]["replicas"] == 1
    assert story.scaled[_AUTH]["spec"]["replicas"] == 4
