"""Two colours beside each other: what `make deploy` and `make promote` ask Helm for."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from deployment import DeployError, Deployment, environment_of, environments


class Helm:
    """Remembers what each release was last given under `global`, and in which order releases were upgraded."""

    def __init__(self) -> None:
        self.releases: dict[str, dict[str, object]] = {}
        self.environments: dict[str, str] = {}
        self.upgraded: list[str] = []

    def run(self, command: Sequence[str]) -> str:
        assert command[0] == "helm"
        assert command[-2:] == ["--namespace", "quantmesh"]
        match list(command[1:]):
            case ["list", *options, "--output", "json", "--namespace", _]:
                # Helm 4 has no `--all`, and Helm 3 shows what is deployed alone unless it is asked for more.
                assert options == ["--deployed", "--failed", "--pending"]
                return json.dumps([{"name": name} for name in self.releases])
            case ["get", "values", release, *_]:
                return json.dumps({"global": self.releases[release] | {"environment": self.environments[release]}})
            case ["upgrade", release, _chart, *options]:
                self.upgraded.append(release)
                self.releases[release] = _global_values(options)
                self.environments[release] = environment_of(Path(options[options.index("--values") + 1]).stem)
                return ""
        pytest.fail(f"no such command: {command}")


def _global_values(options: Sequence[str]) -> dict[str, object]:
    given: dict[str, object] = {}
    for option, value in pairwise(options):
        if option in {"--set", "--set-string"}:
            given |= {
                name.removeprefix("global."): {"true": True, "false": False}.get(text, text)
                for name, _, text in (pair.partition("=") for pair in value.split(","))
            }
    return given


@pytest.fixture
def helm() -> Helm:
    return Helm()


@pytest.fixture
def deployment(helm: Helm) -> Deployment:
    return Deployment(helm.run, "dev", "quantmesh")


def test_the_first_color_has_what_all_share_and_is_the_users(deployment: Deployment, helm: Helm) -> None:
    deployment.deploy("blue", "abc1234")
    assert helm.releases == {
        "quantmesh": {"color": "blue", "activeColor": "blue", "shared": True, "tag": "abc1234"},
    }


def test_the_other_color_comes_as_a_preview_and_touches_nothing(deployment: Deployment, helm: Helm) -> None:
    deployment.deploy("blue", "1")
    before = dict(helm.releases)
    deployment.deploy("green", "2")
    assert helm.releases == before | {
        "quantmesh-green": {"color": "green", "activeColor": "blue", "shared": False, "tag": "2"},
    }


def test_promotion_starts_the_new_color_before_it_pauses_the_old(deployment: Deployment, helm: Helm) -> None:
    deployment.deploy("blue", "1")
    deployment.deploy("green", "2")
    helm.upgraded.clear()
    deployment.promote("green")
    assert helm.upgraded == ["quantmesh-green", "quantmesh"]
    assert {name: (given["activeColor"], given["tag"]) for name, given in helm.releases.items()} == {
        "quantmesh": ("green", "1"),
        "quantmesh-green": ("green", "2"),
    }


def test_going_back_is_promoting_the_old_color(deployment: Deployment, helm: Helm) -> None:
    deployment.deploy("blue", "1")
    deployment.deploy("green", "2")
    before = dict(helm.releases)
    deployment.promote("green")
    deployment.promote("blue")
    assert helm.releases == before


def test_a_color_deployed_anew_while_the_other_is_active_stays_a_preview(deployment: Deployment, helm: Helm) -> None:
    deployment.deploy("blue", "1")
    deployment.deploy("green", "2")
    deployment.promote("green")
    deployment.deploy("blue", "3")
    assert helm.releases["quantmesh"] == {"color": "blue", "activeColor": "green", "shared": True, "tag": "3"}


def test_green_alone_is_refused(deployment: Deployment, helm: Helm) -> None:
    with pytest.raises(DeployError, match="blue is not installed"):
        deployment.deploy("green", "1")
    assert helm.upgraded == []


def test_what_is_not_installed_is_not_promoted(deployment: Deployment, helm: Helm) -> None:
    deployment.deploy("blue", "1")
    with pytest.raises(DeployError, match="green is not installed: make deploy color=green"):
        deployment.promote("green")
    assert helm.upgraded == ["quantmesh"]


def test_another_environment_is_not_laid_over_the_running_one(helm: Helm) -> None:
    """`make promote color=green` without `env=prod` would replace production's servers by development's."""
    production, forgotten = Deployment(helm.run, "prod", "quantmesh"), Deployment(helm.run, "dev", "quantmesh")
    production.deploy("blue", "1")
    production.deploy("green", "2")
    helm.upgraded.clear()
    complaint = "what is installed here is production, and dev is development: env=prod"
    with pytest.raises(DeployError, match=complaint):
        forgotten.deploy("blue", "3")
    with pytest.raises(DeployError, match=complaint):
        forgotten.promote("green")
    assert helm.upgraded == []


def test_each_environment_has_a_name_of_its_own() -> None:
    names = [environment_of(name) for name in environments()]
    assert len(set(names)) == len(names)


def test_where_the_active_color_is_gone_a_deployment_brings_users_back_to_blue(
    deployment: Deployment, helm: Helm
) -> None:
    deployment.deploy("blue", "1")
    deployment.deploy("green", "2")
    deployment.promote("green")
    del helm.releases["quantmesh-green"]
    deployment.deploy("blue", "3")
    assert helm.releases["quantmesh"]["activeColor"] == "blue"
