"""A release of the umbrella as typed objects, rendered once per set of values."""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from objects import ConfigMap, Named, Secret, Workload
from rendering import K8S, UMBRELLA, Manifest, Values, environments, render

ROOT = K8S.parent.parent
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")
NAME = "app.kubernetes.io/name"
COMPONENT = "app.kubernetes.io/component"

T = TypeVar("T", bound=Named)


@dataclass(frozen=True)
class Release:
    """`name` is that of the environment, or of the values laid over it; `beside` lies in the namespace already."""

    name: str
    manifests: tuple[Manifest, ...]
    beside: "Release | None" = None

    def of(self, kind: type[T]) -> list[T]:
        return [kind.model_validate(m.content) for m in self.manifests if m.kind == kind.__name__]

    def reachable(self, kind: type[T]) -> list[T]:
        """Those of the release beside it too."""
        return [*self.of(kind), *(self.beside.of(kind) if self.beside else [])]

    def workloads(self) -> list[Workload]:
        return [Workload.model_validate(m.content) for m in self.manifests if m.kind in WORKLOADS]

    def services(self) -> list[Workload]:
        """What runs the mesh's own code and does not end: services and workers."""
        return [workload for workload in self.workloads() if workload.labels.get(COMPONENT) in {"service", "worker"}]

    def config_maps(self) -> dict[str, ConfigMap]:
        return {each.name: each for each in self.of(ConfigMap)}

    def secrets(self) -> dict[str, Secret]:
        return {each.name: each for each in self.reachable(Secret)}

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Declaration:
    """What a service says of itself in `[tool.quantmesh]`."""

    name: str
    ports: dict[str, int]
    servers: frozenset[str]
    peers: frozenset[str]
    worker: "Declaration | None" = None


@cache
def declarations() -> dict[str, Declaration]:
    return {each.name: each for each in _declared()}


def _declared() -> Iterator[Declaration]:
    for path in sorted(ROOT.glob("services/*/pyproject.toml")):
        table = tomllib.loads(path.read_text())["tool"]["quantmesh"]
        ports = {key.removesuffix("_port"): value for key, value in table.items() if key.endswith("_port")}
        name = path.parent.name
        worker = table.get("worker")
        of_worker = worker and Declaration(
            f"{name}-worker", {}, frozenset(worker["servers"]), frozenset(worker["peers"])
        )
        peers = frozenset(table["peers"]) | ({"auth"} - {name})  # everyone asks auth for keys and service tokens
        yield Declaration(name, ports, frozenset(table["servers"]), peers, of_worker)


# What is laid over an environment.
_VARIANTS: dict[str, tuple[str, Values]] = {
    "prod-green": ("prod", {"global": {"color": "green", "shared": False}}),
    "prod-service-mesh": ("prod", {"global": {"serviceMesh": {"enabled": True}}}),
    "prod-recovered": (
        "prod",
        {
            "postgres": {
                "cloudnative": {
                    "backup": {"serverName": "postgres-2"},
                    "recovery": {"enabled": True, "targetTime": "2026-01-02T03:04:05Z"},
                }
            }
        },
    ),
}
RELEASES = [*environments(), *_VARIANTS]


@cache
def release(name: str) -> Release:
    if name not in _VARIANTS:
        return Release(name, tuple(render(UMBRELLA, name)))
    environment, more = _VARIANTS[name]
    preview = name.endswith("-green")
    return Release(name, tuple(render(UMBRELLA, environment, more)), beside=release(environment) if preview else None)


@cache
def distinct_manifests() -> list[tuple[str, Manifest]]:
    """Every object of every release with a name to show; what is alike in several of them once."""
    found = {
        json.dumps(manifest.content, sort_keys=True): (f"{name}: {manifest}", manifest)
        for name in RELEASES
        for manifest in release(name).manifests
    }
    return list(found.values())


def part_of(workload: Workload) -> str:
    """The service whose code it runs: `pricing` of `pricing-worker`."""
    return workload.labels[NAME].removesuffix("-worker")
