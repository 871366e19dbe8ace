"""What alerts go by is scraped: monitors find pods that tell, policies let Prometheus in, no volume is left out."""

import re
from collections.abc import Iterator

import pytest
import yaml
from network import NetworkPolicy, Pod, openings, pod_of, pods_of
from objects import Named, Part, Selector, Service
from outside import Cluster
from release import ROOT, Release, release

_RULES = yaml.safe_load((ROOT / "deploy/observability/rules/storage.yaml").read_text())
_EXPRESSIONS = [rule["expr"] for group in _RULES["groups"] for rule in group["rules"]]
_PROMETHEUS = "kubernetes.io/metadata.name=monitoring"


class Endpoint(Part):
    port: str


class MonitorSpec(Part):
    selector: Selector
    job_label: str
    endpoints: tuple[Endpoint, ...] = ()
    pod_metrics_endpoints: tuple[Endpoint, ...] = ()


class ServiceMonitor(Named):
    spec: MonitorSpec


class PodMonitor(Named):
    spec: MonitorSpec


class PersistentVolumeClaim(Named):
    pass


def test_monitors_find_pods_that_let_prometheus_in(release: Release) -> None:
    policies = release.of(NetworkPolicy)
    monitors: list[ServiceMonitor | PodMonitor] = [*release.of(ServiceMonitor), *release.of(PodMonitor)]
    for monitor in monitors:
        found = list(_scraped(release, monitor))
        assert found, f"{monitor} finds nothing to scrape"
        for pod, port in found:
            assert port in {each.name for each in pod.ports}, f"{monitor}: {pod.name} has no port {port}"
            assert f"{_PROMETHEUS}:{port}" in openings(pod, policies, "Ingress"), f"{monitor}: {pod.name} is closed"


def _scraped(release: Release, monitor: ServiceMonitor | PodMonitor) -> Iterator[tuple[Pod, str]]:
    """Pods, and the name of the port that each is asked on."""
    pods, spec = _pods(release), monitor.spec
    if isinstance(monitor, PodMonitor):
        yield from (
            (pod, e.port) for pod in pods if spec.selector.matches(pod.labels) for e in spec.pod_metrics_endpoints
        )
        return
    for service in release.of(Service):
        if spec.selector.matches(service.metadata.labels):
            targets = {port.name: port.target_port for port in service.spec.ports}
            chosen = [pod for pod in pods if service.spec.selector.items() <= pod.labels.items()]
            yield from ((pod, str(targets[e.port])) for pod in chosen for e in spec.endpoints if e.port in targets)


def _pods(release: Release) -> list[Pod]:
    return [*pods_of(release.workloads()), *map(pod_of, release.of(Cluster))]


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_servers_that_alerts_ask_are_scraped_under_the_name_that_they_ask_for(environment: str) -> None:
    released = release(environment)
    asked = {job for expression in _EXPRESSIONS for job in re.findall(r'job="(\w+)"', expression)}
    scraped = {
        pod.labels[monitor.spec.job_label]
        for monitor in released.of(PodMonitor)
        for pod, _ in _scraped(released, monitor)
    }
    assert asked == scraped


def test_every_volume_is_watched(release: Release) -> None:
    patterns = {found for each in _EXPRESSIONS for found in re.findall(r'persistentvolumeclaim=~"([^"]+)"', each)}
    (pattern,) = patterns
    claims = set(_claims(release))
    assert claims or release.beside
    assert {claim for claim in claims if not re.fullmatch(pattern, claim)} == set()


def _claims(release: Release) -> Iterator[str]:
    yield from (each.name for each in release.of(PersistentVolumeClaim))
    for workload in release.workloads():
        yield from (f"{claim.metadata.name}-{workload.name}-0" for claim in workload.spec.volume_claim_templates)
    for cluster in release.of(Cluster):
        yield f"{cluster.name}-1"
        if cluster.spec.wal_storage:
            yield f"{cluster.name}-1-wal"
