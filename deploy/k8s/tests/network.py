"""Who may speak to whom: what the NetworkPolicies of a namespace allow, as a cluster would decide it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from objects import ContainerPort, Named, Part, Selector, Workload
from outside import Cluster
from pydantic import Field

# A pod's name, another's, and the port on which that one is asked.
Edge = tuple[str, str, int]


class IpBlock(Part):
    cidr: str


class NetworkPeer(Part):
    pod_selector: Selector | None = None
    namespace_selector: Selector | None = None
    ip_block: IpBlock | None = None


class NetworkPort(Part):
    port: int | str | None = None
    protocol: str = "TCP"


class NetworkRule(Part):
    from_: tuple[NetworkPeer, ...] = Field(default=(), alias="from")
    to: tuple[NetworkPeer, ...] = ()
    ports: tuple[NetworkPort, ...] = ()


class NetworkPolicySpec(Part):
    pod_selector: Selector
    policy_types: tuple[str, ...] = ()
    ingress: tuple[NetworkRule, ...] = ()
    egress: tuple[NetworkRule, ...] = ()


class NetworkPolicy(Named):
    spec: NetworkPolicySpec


@dataclass(frozen=True)
class Pod:
    name: str
    labels: Mapping[str, str]
    ports: tuple[ContainerPort, ...]
    alone: bool = False

    def names(self, port: int | str | None) -> str:
        """A port as the pod calls it."""
        return next((each.name for each in self.ports if each.container_port == port), str(port))


def pod_of(cluster: Cluster) -> Pod:
    """The operator gives its pods the labels that are asked for, and one that names the cluster."""
    listens = {"postgresql": 5432, "status": 8000, "metrics": 9187}
    ports = tuple(ContainerPort.model_validate({"name": name, "containerPort": port}) for name, port in listens.items())
    labels = cluster.spec.inherited_metadata.labels | {"cnpg.io/cluster": cluster.name}
    return Pod(cluster.name, labels, ports, alone=cluster.spec.instances == 1)


def pods_of(workloads: Iterable[Workload]) -> list[Pod]:
    return [
        Pod(w.name, w.labels, tuple(p for c in w.pod.all_containers for p in c.ports), alone=w.spec.replicas == 1)
        for w in workloads
    ]


def edges_left_open(pods: list[Pod], policies: list[NetworkPolicy]) -> set[Edge]:
    """What the policies of those who ask allow; a rule without a peer leads to any of them."""
    return {
        (source.name, target.name, port.container_port)
        for source, target in product(pods, repeat=2)
        for port in target.ports
        if _leaves(source, target, port, policies)
    }


def edges_let_in(pods: list[Pod], policies: list[NetworkPolicy]) -> set[Edge]:
    """What the policies of those who are asked allow."""
    return {
        (source.name, target.name, port.container_port)
        for source, target in product(pods, repeat=2)
        for port in target.ports
        if _enters(source, target, port, policies)
    }


def closed_both_ways(pod: Pod, policies: list[NetworkPolicy]) -> bool:
    """A pod that no policy selects for a direction is open in it."""
    return all(_selecting(pod, policies, direction) for direction in ("Ingress", "Egress"))


def openings(pod: Pod, policies: list[NetworkPolicy], direction: str) -> set[str]:
    """What the pod may ask, or be asked by, beyond its namespace: `kubernetes.io/metadata.name=kube-system:53`."""
    return {
        f"{where}:{pod.names(port.port) if direction == 'Ingress' else port.port}"
        for policy in _selecting(pod, policies, direction)
        for rule in (policy.spec.ingress if direction == "Ingress" else policy.spec.egress)
        for where in _outside(rule.from_ if direction == "Ingress" else rule.to)
        for port in rule.ports
    }


def _outside(peers: tuple[NetworkPeer, ...]) -> set[str]:
    if not peers:
        return {"anywhere"}
    blocks = {peer.ip_block.cidr for peer in peers if peer.ip_block}
    spaces = {
        ",".join(f"{key}={value}" for key, value in peer.namespace_selector.match_labels.items()) or "any namespace"
        for peer in peers
        if peer.namespace_selector
    }
    return blocks | spaces


def _selecting(pod: Pod, policies: list[NetworkPolicy], direction: str) -> list[NetworkPolicy]:
    return [p for p in policies if direction in p.spec.policy_types and p.spec.pod_selector.matches(pod.labels)]


def _leaves(source: Pod, target: Pod, port: ContainerPort, policies: list[NetworkPolicy]) -> bool:
    selecting = _selecting(source, policies, "Egress")
    return not selecting or any(_fits(r, r.to, target, port) for p in selecting for r in p.spec.egress)


def _enters(source: Pod, target: Pod, port: ContainerPort, policies: list[NetworkPolicy]) -> bool:
    selecting = _selecting(target, policies, "Ingress")
    return not selecting or any(_fits(r, r.from_, source, port) for p in selecting for r in p.spec.ingress)


def _fits(rule: NetworkRule, peers: tuple[NetworkPeer, ...], other: Pod, port: ContainerPort) -> bool:
    """No peers: everybody; no ports: all of them."""
    by_port = not rule.ports or any(
        p.protocol == port.protocol and p.port in {None, port.container_port, port.name} for p in rule.ports
    )
    return by_port and (not peers or any(_is(peer, other) for peer in peers))


def _is(peer: NetworkPeer, other: Pod) -> bool:
    """A peer with a namespace or addresses is beyond this namespace."""
    return (
        peer.pod_selector is not None
        and peer.namespace_selector is None
        and peer.ip_block is None
        and peer.pod_selector.matches(other.labels)
    )
