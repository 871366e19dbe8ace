"""NetworkPolicies allow the edges that the services declare, and no others; the code asks no more than it declares."""

import ast
from collections.abc import Iterator

import pytest
from network import Edge, NetworkPolicy, Pod, closed_both_ways, edges_left_open, edges_let_in, openings, pod_of, pods_of
from outside import Cluster
from release import COMPONENT, NAME, RELEASES, ROOT, Release, declarations, release
from rendering import UMBRELLA, render

_SERVERS = {"postgres": {5432}, "nats": {4222}, "redis": {6379, 26379}, "evm": {8545}}
# What members of one server ask each other: replication, routes, sentinels.
_MEMBERS = {"postgres": {5432, 8000}, "nats": {6222}, "redis": {6379, 26379}}
_COLLECTOR = 4317
# The collector's backends; the API server and the object store, which CloudNativePG's instances ask.
_ANYWHERE = {f"anywhere:{port}" for port in (4317, 9200, 443, 6443)}
# Ports of metrics.
_WATCHED = {"ops", "metrics", "monitor"}


class Namespace:
    """All that lies in it: one release, or those of both colours."""

    def __init__(self, *releases: Release) -> None:
        self.pods = [pod for each in releases for pod in [*pods_of(each.workloads()), *map(pod_of, each.of(Cluster))]]
        self.policies = [policy for each in releases for policy in each.of(NetworkPolicy)]


@pytest.fixture(name="namespace", params=[*RELEASES, "both colours"])
def _namespace(request: pytest.FixtureRequest) -> Namespace:
    if request.param == "both colours":
        return Namespace(release("prod"), release("prod-green"))
    return Namespace(release(request.param))


def test_whoever_is_asked_lets_the_declared_edges_in_and_no_others(namespace: Namespace) -> None:
    let_in, declared = edges_let_in(namespace.pods, namespace.policies), set(_declared_edges(namespace.pods))
    assert let_in - declared == set(), "allowed and not declared"
    assert declared - let_in == set(), "declared and not allowed"


def test_whoever_asks_may_leave_by_the_declared_edges_and_no_others(namespace: Namespace) -> None:
    left_open, declared = edges_left_open(namespace.pods, namespace.policies), set(_declared_edges(namespace.pods))
    # Where their receivers lie is not known to the charts: any address, on the ports of these.
    anywhere = {pod.name for pod in namespace.pods if openings(pod, namespace.policies, "Egress") & _ANYWHERE}
    assert anywhere <= {"collector", "postgres"}
    assert {edge for edge in left_open - declared if edge[0] not in anywhere} == set(), "allowed and not declared"
    assert declared - left_open == set(), "declared and not allowed"


def _declared_edges(pods: list[Pod]) -> Iterator[Edge]:
    for source in pods:
        name, component = source.labels[NAME], source.labels[COMPONENT]
        for target in pods:
            listens = {port.container_port for port in target.ports}
            for port in _asked(name, component, source, target) & listens:
                yield source.name, target.name, port


def _asked(name: str, component: str, source: Pod, target: Pod) -> set[int]:
    """The ports of `target` that a pod like `source` has reason to ask."""
    other, kind = target.labels[NAME], target.labels[COMPONENT]
    asked: set[int] = set()
    if component in {"service", "worker"}:
        part = declarations()[name.removesuffix("-worker")]
        part = part.worker if component == "worker" and part.worker else part
        if kind == "server":
            asked |= _SERVERS[other] if other in part.servers else set()
            asked |= {_COLLECTOR} if other == "collector" else set()
        elif kind == "service" and other in part.peers and _color(source) == _color(target):
            asked.add(declarations()[other].ports["grpc"])
    if name == "migrations" and other == "postgres":
        asked |= _SERVERS["postgres"]
    if source is target and not source.alone:
        asked |= _MEMBERS.get(name, set())
    return asked


def _color(pod: Pod) -> str:
    return pod.labels["quantmesh/color"]


def test_every_pod_is_closed_both_ways(namespace: Namespace) -> None:
    assert [pod.name for pod in namespace.pods if not closed_both_ways(pod, namespace.policies)] == []


def test_only_the_gateway_is_asked_from_outside_but_for_what_watches(namespace: Namespace) -> None:
    for pod in namespace.pods:
        ports = {each.rpartition(":")[2] for each in openings(pod, namespace.policies, "Ingress")}
        allowed = _WATCHED | ({"http"} if pod.labels[NAME] == "gateway" else set())
        allowed |= {"postgresql", "status"} if "cnpg.io/cluster" in pod.labels else set()  # its operator's questions
        assert ports <= allowed, pod.name


def test_keda_asks_nats_from_where_it_runs() -> None:
    values = {"global": {"keda": {"namespace": "scaling"}}}
    namespace = Namespace(Release("prod", tuple(render(UMBRELLA, "prod", values))))
    [nats] = [pod for pod in namespace.pods if pod.labels[NAME] == "nats"]
    assert "kubernetes.io/metadata.name=scaling:monitor" in openings(nats, namespace.policies, "Ingress")


def test_no_pod_is_open_to_everybody(namespace: Namespace) -> None:
    for pod in namespace.pods:
        assert not [o for o in openings(pod, namespace.policies, "Ingress") if o.startswith("any")], pod.name


def test_declared_peers_are_those_that_the_code_opens() -> None:
    for service, declaration in declarations().items():
        asked = set(_opened_peers(service))
        needs_auth = {"auth"} - {service}
        assert asked | needs_auth == declaration.peers, service


def _opened_peers(service: str) -> Iterator[str]:
    """The names in `service.peer("market", ...)`."""
    for path in (ROOT / "services" / service / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(attr="peer"), args=[ast.Constant(value=str(name)), *_]):
                    yield name
