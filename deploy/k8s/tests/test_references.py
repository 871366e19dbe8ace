"""What an object names is there: configuration, secrets, volumes, images."""

import re
from collections.abc import Iterable, Iterator

import yaml
from objects import Service, Workload
from outside import made_by_operators
from release import ROOT, Release, release
from rendering import CHARTS, UMBRELLA, Manifest, environments, render


def test_configuration_and_secrets_that_a_pod_names_exist(release: Release) -> None:
    maps, secrets = set(release.config_maps()), set(release.secrets()) | set(made_by_operators(release))
    missing = [
        f"{workload}: {kind} {name}"
        for workload in release.workloads()
        for kind, name in _named(workload)
        if name not in (maps if kind == "ConfigMap" else secrets)
    ]
    assert missing == []


def _named(workload: Workload) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for container in workload.pod.all_containers:
        for source in container.env_from:
            if source.config_map_ref and not source.config_map_ref.optional:
                found.add(("ConfigMap", source.config_map_ref.name))
            if source.secret_ref and not source.secret_ref.optional:
                found.add(("Secret", source.secret_ref.name))
        for variable in container.env:
            origin = variable.value_from
            if origin and origin.secret_key_ref and not origin.secret_key_ref.optional:
                found.add(("Secret", origin.secret_key_ref.name))
            if origin and origin.config_map_key_ref and not origin.config_map_key_ref.optional:
                found.add(("ConfigMap", origin.config_map_key_ref.name))
    for volume in workload.pod.volumes:
        if volume.secret and not volume.secret.get("optional"):
            found.add(("Secret", volume.secret["secretName"]))
        if volume.config_map and not volume.config_map.get("optional"):
            found.add(("ConfigMap", volume.config_map["name"]))
    return found


def test_what_is_mounted_is_a_volume_and_every_volume_is_mounted(release: Release) -> None:
    for workload in release.workloads():
        mounts = {mount.name for container in workload.pod.all_containers for mount in container.volume_mounts}
        claims = {claim.metadata.name for claim in workload.spec.volume_claim_templates}
        assert mounts == {volume.name for volume in workload.pod.volumes} | claims, str(workload)


def test_objects_of_one_kind_have_names_of_their_own(release: Release) -> None:
    names = [str(manifest) for manifest in release.manifests]
    assert {name for name in names if names.count(name) > 1} == set()


def test_two_colours_lie_side_by_side_without_an_object_of_both() -> None:
    blue, green = ({str(manifest) for manifest in release(name).manifests} for name in ("prod", "prod-green"))
    assert blue & green == set()
    assert {name.replace("-green", "") for name in green} <= blue


def _images(manifests: Iterable[Manifest]) -> set[str]:
    """Also of what operators start: whatever stands under a key for images."""
    return {image for manifest in manifests for image in _images_in(manifest.content)}


def _images_in(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in {"image", "imageName"} and isinstance(value, str):
                yield value
            else:
                yield from _images_in(value)
    elif isinstance(node, list):
        for each in node:
            yield from _images_in(each)


def test_images_are_named_in_one_place_and_every_name_is_of_use() -> None:
    """Other names there, and no image of before is left in any environment."""
    defaults = yaml.safe_load((CHARTS / "common" / "values.yaml").read_text())["exports"]["global"]["global"]
    others = {name: f"registry.test/{name.lower()}:1" for name in defaults["images"]}
    used = _images(m for name in environments() for m in render(UMBRELLA, name, {"global": {"images": others}}))
    assert used == set(others.values())


def test_images_have_a_version(release: Release) -> None:
    tags = {image: image.rpartition("/")[2].partition(":")[2] for image in _images(release.manifests)}
    assert {image for image, tag in tags.items() if tag in {"", "latest"}} == set()


def test_services_are_forwarded_by_ports_that_they_have() -> None:
    texts = [ROOT / "docs/operations.md", CHARTS / UMBRELLA / "templates/NOTES.txt"]
    asked = {
        (name, int(port))
        for text in texts
        for name, port in re.findall(r"port-forward service/([\w-]+) \d+:(\d+)", text.read_text())
    }
    assert asked
    there = {
        (service.name, port.port) for service in release("prod-green").reachable(Service) for port in service.spec.ports
    }
    assert asked <= there
