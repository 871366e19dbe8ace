"""What holds of every pod of a release: security, shutdown, scale, and names that point to each other."""

from objects import (
    Container,
    HorizontalPodAutoscaler,
    Named,
    PodDisruptionBudget,
    ScaledObject,
    Service,
    ServiceAccount,
    Workload,
)
from release import COMPONENT, NAME, Release, release

# By this multiple of QUANTMESH_SHUTDOWN_SECONDS a process has ended (quantmesh.chassis.service).
_BOUND = 1.4
_DEFAULT_SHUTDOWN_SECONDS = 10.0


def test_no_pod_can_do_more_than_it_must(release: Release) -> None:
    faults = [
        f"{workload} {container.name}: {fault}"
        for workload in release.workloads()
        for container in workload.pod.all_containers
        for fault in _liberties(workload, container)
    ]
    assert faults == []


def _liberties(workload: Workload, container: Container) -> list[str]:
    """How it falls short of the restricted Pod Security Standard, a read-only root and bounded resources."""
    pod, own = workload.pod.security_context, container.security_context
    wrong = {
        "may run as root": not (own.run_as_non_root if own.run_as_non_root is not None else pod.run_as_non_root),
        "user below 10001": (own.run_as_user or pod.run_as_user or 0) < 10_001,
        "privileged": own.privileged,
        "may gain privileges": own.allow_privilege_escalation is not False,
        "writable root": own.read_only_root_filesystem is not True,
        "capabilities": own.capabilities.drop != ["ALL"] or bool(own.capabilities.add),
        "no seccomp profile": (own.seccomp_profile or pod.seccomp_profile) != {"type": "RuntimeDefault"},
        "host's network or processes": workload.pod.host_network or workload.pod.host_p_i_d,
        "a folder of the host": any(volume.host_path for volume in workload.pod.volumes),
        "no memory limit": "memory" not in container.resources.limits,
        "no requests": not {"cpu", "memory"} <= container.resources.requests.keys(),
    }
    return [fault for fault, true in wrong.items() if true]


def test_no_pod_holds_a_token_of_the_cluster(release: Release) -> None:
    accounts = {account.name: account for account in release.of(ServiceAccount)}
    for workload in release.workloads():
        name = workload.pod.service_account_name
        assert name in accounts, f"{workload} runs as {name or 'default'}, which the release does not have"
        assert accounts[name].automount_service_account_token is False, name
        assert workload.pod.automount_service_account_token is False, str(workload)


def test_selectors_find_their_own_pods_and_no_others(release: Release) -> None:
    for workload in release.workloads():
        if workload.kind == "Job":
            continue
        found = [other for other in release.workloads() if workload.spec.selector.matches(other.labels)]
        assert [str(other) for other in found] == [str(workload)], f"selector of {workload}"


def test_services_point_to_pods_that_listen(release: Release) -> None:
    for service in release.of(Service):
        if not service.spec.selector:
            continue
        pods = [w for w in release.workloads() if service.spec.selector.items() <= w.labels.items()]
        served_by_operator = not pods and service.metadata.labels.get(COMPONENT) == "server"
        if served_by_operator:
            continue
        assert pods, f"{service} selects no pod"
        for port in service.spec.ports:
            target = port.target_port if port.target_port is not None else port.port
            listening = {
                key for w in pods for c in w.pod.containers for p in c.ports for key in (p.name, p.container_port)
            }
            assert target in listening, f"{service} sends to {target}, its pods listen on {sorted(map(str, listening))}"


def test_probes_ask_ports_that_the_container_names(release: Release) -> None:
    for workload in release.workloads():
        for container in workload.pod.containers:
            names: set[object] = {key for p in container.ports for key in (p.name, p.container_port)}
            for probe in container.probes:
                for handler in (probe.http_get, probe.grpc, probe.tcp_socket):
                    assert handler is None or handler["port"] in names, f"{workload} {container.name}: {handler}"


def test_what_serves_is_probed_and_liveness_asks_for_no_dependency(release: Release) -> None:
    for workload in release.services():
        [container] = workload.pod.containers
        startup, ready, live = container.startup_probe, container.readiness_probe, container.liveness_probe
        assert startup, f"{workload} has no startup probe"
        assert ready, f"{workload} has no readiness probe"
        assert live, f"{workload} has no liveness probe"
        assert ready.http_get is not None
        assert ready.http_get["path"] == "/readyz", str(workload)
        assert live.http_get is not None
        assert live.http_get["path"] == "/healthz", str(workload)


def test_a_pod_has_time_to_end_before_it_is_killed(release: Release) -> None:
    maps = release.config_maps()
    for workload in release.services():
        [container] = workload.pod.containers
        configured = {
            name: value
            for source in container.env_from
            if source.config_map_ref
            for name, value in maps[source.config_map_ref.name].data.items()
        } | {variable.name: variable.value for variable in container.env}
        shutdown = float(configured.get("QUANTMESH_SHUTDOWN_SECONDS", _DEFAULT_SHUTDOWN_SECONDS))
        hook = container.lifecycle.pre_stop
        serves = workload.labels[COMPONENT] == "service"
        assert hook or not serves, f"{workload} has no preStop: requests reach it that endpoints still send"
        waits = hook.sleep["seconds"] if hook and hook.sleep else 0
        assert hook is None or waits, f"{workload}: preStop must be a sleep; the image has no shell"
        grace = workload.pod.termination_grace_period_seconds
        assert waits + _BOUND * shutdown <= grace, f"{workload}: {waits} + {_BOUND} x {shutdown} > {grace}"


def _scalers(release: Release) -> dict[tuple[str, str], tuple[Named, int, int]]:
    found: dict[tuple[str, str], tuple[Named, int, int]] = {}
    for hpa in release.of(HorizontalPodAutoscaler):
        target = hpa.spec.scale_target_ref
        key = (target.kind, target.name)
        assert key not in found, f"two scalers for {key}"
        found[key] = (hpa, hpa.spec.min_replicas, hpa.spec.max_replicas)
    for scaled in release.of(ScaledObject):
        target = scaled.spec.scale_target_ref
        key = (target.kind, target.name)
        assert key not in found, f"two scalers for {key}"
        found[key] = (scaled, scaled.spec.min_replica_count, scaled.spec.max_replica_count)
    return found


def test_replicas_are_set_in_one_place(release: Release) -> None:
    scalers = _scalers(release)
    workloads = {(workload.kind, workload.name): workload for workload in release.workloads()}
    for target, (scaler, least, most) in scalers.items():
        assert target in workloads, f"{scaler} scales {target}, which is not there"
        assert workloads[target].spec.replicas is None, f"{target} sets replicas beside {scaler}"
        assert 1 <= least <= most, str(scaler)
    for target, workload in workloads.items():
        if workload.kind in {"Deployment", "StatefulSet"} and target not in scalers:
            assert workload.spec.replicas is not None, f"{workload} leaves its replicas to nobody"


def test_a_budget_lets_at_least_one_pod_go(release: Release) -> None:
    """A node could not be drained otherwise."""
    scalers = _scalers(release)
    for budget in release.of(PodDisruptionBudget):
        covered = [w for w in release.workloads() if budget.spec.selector.matches(w.labels)]
        assert len(covered) == 1, f"{budget} covers {[str(w) for w in covered]}"
        [workload] = covered
        least = scalers[workload.kind, workload.name][1] if (workload.kind, workload.name) in scalers else None
        replicas = workload.spec.replicas if least is None else least
        assert replicas is not None
        allowed, kept = budget.spec.max_unavailable, budget.spec.min_available
        assert (allowed is None) != (kept is None), str(budget)
        assert allowed is None or (isinstance(allowed, int) and allowed >= 1), str(budget)
        assert kept is None or (isinstance(kept, int) and kept < replicas), f"{budget} keeps {kept} of {replicas}"


def test_pods_that_serve_nobody_hold_up_no_drain(release: Release) -> None:
    """Replicas that never get ready would keep their nodes for ever; NATS' members hold events all the same."""
    for budget in release.of(PodDisruptionBudget):
        held = budget.spec.unhealthy_pod_eviction_policy != "AlwaysAllow"
        assert held is (budget.name == "nats"), str(budget)


def test_what_has_replicas_is_spread_and_has_a_budget(release: Release) -> None:
    scalers = _scalers(release)
    budgets = release.of(PodDisruptionBudget)
    for workload in release.workloads():
        key = (workload.kind, workload.name)
        least = scalers[key][1] if key in scalers else (workload.spec.replicas or 1)
        if workload.kind not in {"Deployment", "StatefulSet"} or least < 2:
            continue
        assert any(b.spec.selector.matches(workload.labels) for b in budgets), f"{workload} has no budget"
        spread = workload.pod.topology_spread_constraints
        assert spread, f"{workload} may lie on one node"
        assert all(c.label_selector.matches(workload.labels) for c in spread), f"{workload} spreads other pods"


def test_a_drained_node_holds_up_no_replica(release: Release) -> None:
    """Counted as an empty one it would have to be filled first: what left it, and an autoscaler's pods, would wait."""
    for workload in release.workloads():
        for spread in workload.pod.topology_spread_constraints:
            waits = spread.when_unsatisfiable == "DoNotSchedule"
            assert not waits or spread.node_taints_policy == "Honor", str(workload)


def test_a_node_that_fails_takes_no_quorum_of_production_with_it() -> None:
    """Two of three on one node would go together."""
    for workload in release("prod").workloads():
        if workload.kind == "StatefulSet":
            kept_apart = {
                spread.topology_key
                for spread in workload.pod.topology_spread_constraints
                if spread.when_unsatisfiable == "DoNotSchedule"
            }
            assert kept_apart == {"kubernetes.io/hostname"}, str(workload)


def test_our_images_run_where_they_can(release: Release) -> None:
    """They are built for x86-64: on another node a container would end with "exec format error"."""
    for workload in release.workloads():
        if any("/quantmesh-" in container.image for container in workload.pod.all_containers):
            assert workload.pod.node_selector == {"kubernetes.io/arch": "amd64"}, str(workload)


def test_labels_say_what_a_pod_is(release: Release) -> None:
    for workload in release.workloads():
        assert workload.labels["app.kubernetes.io/part-of"] == "quantmesh", str(workload)
        assert workload.labels[COMPONENT] in {"service", "worker", "server", "job"}, str(workload)
        assert workload.labels[NAME], str(workload)
