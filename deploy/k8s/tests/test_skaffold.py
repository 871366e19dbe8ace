"""The loop of development builds every image of the project and gives each to the chart; what it names is there."""

import re
from typing import Any

import yaml
from release import RELEASES, ROOT
from rendering import CHARTS, K8S

CONFIGURATION: dict[str, Any] = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
ARTIFACTS: list[dict[str, Any]] = CONFIGURATION["build"]["artifacts"]
RELEASE: dict[str, Any] = CONFIGURATION["deploy"]["helm"]["releases"][0]
_OF_ONE_IMAGE = re.compile(r"[^a-z0-9]")


def own_images() -> dict[str, str]:
    """By their names in `global.images`: those that are built here."""
    defaults = yaml.safe_load((CHARTS / "common" / "values.yaml").read_text())
    images = defaults["exports"]["global"]["global"]["images"]
    return {name: reference for name, reference in images.items() if "/" not in reference}


def test_every_image_is_built_from_its_own_service() -> None:
    built = {each["image"]: each["docker"]["buildArgs"] for each in ARTIFACTS}
    assert built == {
        f"localhost/{reference}": {"SERVICE": name.removesuffix("-worker")}
        | ({"EXTRA": "worker"} if name.endswith("-worker") else {})
        for name, reference in own_images().items()
    }


def test_the_chart_is_given_what_was_built() -> None:
    assert RELEASE["setValueTemplates"] == {
        f"global.images.{name}": f"{{{{.IMAGE_FULLY_QUALIFIED_{_OF_ONE_IMAGE.sub('_', f'localhost/{reference}')}}}}}"
        for name, reference in own_images().items()
    }


def test_files_that_are_synchronised_are_those_of_the_image() -> None:
    for artifact in ARTIFACTS:
        rules = artifact["sync"]["manual"]
        service = artifact["docker"]["buildArgs"]["SERVICE"]
        assert [rule["strip"] for rule in rules] == [f"services/{service}/src/", "libs/chassis/src/"]
        for rule in rules:
            assert rule["src"] == f"{rule['strip']}**/*.py"
            assert (ROOT / rule["strip"]).is_dir()


def test_each_environment_has_a_profile_with_its_values() -> None:
    profiles = {profile["name"]: profile for profile in CONFIGURATION["profiles"]}
    environments = {path.stem for path in (K8S / "environments").glob("*.yaml")}
    assert set(profiles) == environments
    assert set(RELEASES) >= environments
    given = {
        name: [patch["value"] for patch in profile["patches"] if patch["path"].endswith("/valuesFiles/0")]
        for name, profile in profiles.items()
    }
    assert given == {
        "dev": [],
        "staging": ["deploy/k8s/environments/staging.yaml"],
        "prod": ["deploy/k8s/environments/prod.yaml"],
    }
    assert RELEASE["valuesFiles"] == ["deploy/k8s/environments/dev.yaml"]


def test_images_for_development_are_those_of_the_loop_alone() -> None:
    [development] = [profile for profile in CONFIGURATION["profiles"] if profile.get("activation")]
    assert development["activation"] == [{"command": "dev"}]
    assert development["patches"] == [
        {"op": "add", "path": f"/build/artifacts/{number}/docker/buildArgs/DEVELOP", "value": "yes"}
        for number in range(len(ARTIFACTS))
    ]
    assert "ARG DEVELOP=\n" in (ROOT / "deploy/docker/Dockerfile").read_text()
