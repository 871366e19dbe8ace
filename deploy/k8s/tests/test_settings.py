"""Charts and code speak of the same settings: each service loads what its chart gives it."""

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

import pytest
from environment import environment_of
from objects import Service, Workload
from outside import Cluster, made_services
from release import COMPONENT, NAME, RELEASES, ROOT, Declaration, declarations, part_of, release

_OURS = "QUANTMESH_"
# What the runtime of the image reads: Python, its numerics and C's allocator.
_OF_THE_RUNTIME = {
    "HOME", "LD_PRELOAD", "MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MPLCONFIGDIR",
    "NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS",
    "TMPDIR",
}  # fmt: skip
_OF_SERVERS = {"postgres": "QUANTMESH_DATABASE_URL", "nats": "QUANTMESH_NATS_URL"}


@dataclass(frozen=True)
class Started:
    """One container of a release, and how its service takes its environment."""

    release: str
    workload: Workload
    environment: dict[str, str]
    known: frozenset[str]
    secret: frozenset[str]
    complaints: list[str]

    def __str__(self) -> str:
        return f"{self.release}: {self.workload}"

    @property
    def declaration(self) -> Declaration:
        return declarations()[part_of(self.workload)]


@cache
def started() -> list[Started]:
    """Settings are loaded by the mesh's own virtual environment, all of them in one process."""
    environments = [
        (name, workload, environment_of(release(name), workload.pod.containers[0]))
        for name in RELEASES
        for workload in release(name).services()
    ]
    asked = [{"service": part_of(workload), "environment": environment} for _, workload, environment in environments]
    done = subprocess.run(
        [ROOT / ".venv/bin/python", ROOT / "scripts/load_settings.py"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    return [
        Started(name, workload, environment, *_variables(answer["variables"][part_of(workload)]), complaints)
        for (name, workload, environment), complaints in zip(environments, answer["complaints"], strict=True)
    ]


def _variables(kinds: dict[str, str]) -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(kinds), frozenset(name for name, kind in kinds.items() if kind == "secret")


def test_every_service_loads_the_settings_that_its_chart_gives_it() -> None:
    assert {str(each): each.complaints for each in started() if each.complaints} == {}
    assert {part_of(each.workload) for each in started()} == set(declarations())


def test_a_chart_sets_nothing_that_its_service_does_not_read() -> None:
    unknown = {
        str(each): sorted(strange)
        for each in started()
        if (strange := each.environment.keys() - each.known - _OF_THE_RUNTIME - _targets(each))
    }
    assert unknown == {}


def _targets(each: Started) -> set[str]:
    return {f"{_OURS}{peer.upper()}_TARGET" for peer in each.declaration.peers}


def test_a_service_is_given_every_server_and_peer_that_it_declares() -> None:
    for each in started():
        if each.workload.labels[COMPONENT] == "worker":
            continue
        servers = {_OF_SERVERS.get(s, f"{_OURS}{s.upper()}_URL") for s in each.declaration.servers}
        missing = (servers | _targets(each)) - each.environment.keys()
        assert not missing, f"{each}: {sorted(missing)}"


def test_addresses_of_peers_are_those_that_the_peers_listen_on() -> None:
    for each in started():
        for peer in each.declaration.peers:
            target = each.environment.get(f"{_OURS}{peer.upper()}_TARGET")
            if target is None:
                continue
            port = declarations()[peer].ports["grpc"]
            of_peer = [s for s in release(each.release).of(Service) if s.spec.selector.get(NAME) == peer]
            assert target in {f"dns:///{service.name}:{port}" for service in of_peer}, f"{each}: {target}"


def test_a_service_listens_on_the_ports_that_it_declares_and_its_container_names_them() -> None:
    for each in started():
        declared = each.declaration
        named = {port.name: port.container_port for port in each.workload.pod.containers[0].ports}
        serves = each.workload.labels[COMPONENT] == "service"
        wanted = declared.ports if serves else {"ops": declared.ports["ops"]}
        assert named == wanted, str(each)
        for kind, port in wanted.items():
            owner = part_of(each.workload).upper() if kind == "http" else kind.upper()
            assert each.environment[f"{_OURS}{owner}_BIND"].endswith(f":{port}"), f"{each}: {kind}"
            assert not each.environment[f"{_OURS}{owner}_BIND"].startswith("127."), f"{each} hears only itself"


@pytest.mark.parametrize("component", ["service", "worker"])
def test_jobs_are_done_by_workers_where_there_are_workers(component: str) -> None:
    """A process that serves does jobs only where its environment is `local`, which no release is."""
    for each in started():
        if each.workload.labels[COMPONENT] == component:
            assert each.environment["QUANTMESH_ENVIRONMENT"] != "local", str(each)
            assert "QUANTMESH_SERVE_JOBS" not in each.environment, str(each)


def test_addresses_in_settings_are_services_of_the_namespace_or_names_elsewhere() -> None:
    """A name without a dot is the namespace's own."""
    for each in started():
        there = release(each.release)
        services = {service.name for service in there.reachable(Service)} | made_services(there)
        asked = {host for value in each.environment.values() if (host := urlsplit(value).hostname) and "." not in host}
        assert asked <= services, f"{each}: {sorted(asked - services)}"


def test_postgres_keeps_what_it_freed_whoever_runs_it() -> None:
    (cluster,) = release("prod").of(Cluster)
    (single,) = (each for each in release("dev").workloads() if each.name == "postgres")
    told = {each.name: each.value for each in cluster.spec.env}
    assert told.keys() == {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"}
    assert told.items() <= {each.name: each.value for each in single.pod.containers[0].env}.items()
