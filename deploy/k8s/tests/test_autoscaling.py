"""What autoscalers go by exists, and what they may grow to fits."""

import re

import pytest
import yaml
from objects import HorizontalPodAutoscaler, ScaledObject
from outside import Cluster
from release import COMPONENT, ROOT, Release, release
from rendering import K8S, UMBRELLA, render

# Besides its pool a process keeps a connection for each lead that it has or waits for, such as the relay's.
_LEADS = {"service": 5, "worker": 3}
# Kinds of metrics, and under what an adapter has their rules.
_RULES = {"pods": "custom", "external": "external"}
_CONSUMER = re.compile(r'\bConsumer\(\s*"([a-z-]+)",\s*subject="qm\.([a-z]+)\.')


def test_an_adapter_serves_the_metrics_that_autoscalers_name_from_what_the_code_exports() -> None:
    without_keda = Release("prod", tuple(render(UMBRELLA, "prod", {"global": {"keda": {"enabled": False}}})))
    named = {
        (kind, metric[kind]["metric"]["name"])
        for scaler in without_keda.of(HorizontalPodAutoscaler)
        for metric in scaler.spec.metrics
        for kind in ("pods", "external")
        if kind in metric
    }
    rules = yaml.safe_load((K8S / "prometheus-adapter.yaml").read_text())["rules"]
    served = {(kind, rule["name"]["as"]) for kind, key in _RULES.items() for rule in rules[key]}
    assert named == served
    code = "".join(path.read_text() for path in ROOT.glob("[ls]*s/*/src/**/*.py"))
    series = {rule["seriesQuery"].partition("{")[0] for key in _RULES.values() for rule in rules[key]}
    assert {name for name in series if f'"{name.removesuffix("_count")}"' not in code} == set()


def test_lag_is_measured_of_the_consumers_that_the_code_has() -> None:
    triggers = [trigger for scaled in release("prod").of(ScaledObject) for trigger in scaled.spec.triggers]
    measured = {(t["metadata"]["stream"], t["metadata"]["consumer"]) for t in triggers if t["type"] == "nats-jetstream"}
    assert measured == {
        (f"qm-{publisher}", f"{source.relative_to(ROOT / 'services').parts[0]}-{name}")
        for source in ROOT.glob("services/*/src/**/*.py")
        for name, publisher in _CONSUMER.findall(source.read_text())
    }


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_the_connections_of_all_replicas_fit_into_postgres(environment: str) -> None:
    released = release(environment)
    most = {each.spec.scale_target_ref.name: each.spec.max_replicas for each in released.of(HorizontalPodAutoscaler)}
    most |= {each.spec.scale_target_ref.name: each.spec.max_replica_count for each in released.of(ScaledObject)}
    wanted = 0
    for workload in released.services():
        pool = released.config_maps()[workload.name].data.get("QUANTMESH_DATABASE_POOL_SIZE")
        if pool is not None:
            while_rolled_out = most[workload.name] + int(workload.spec.strategy.rolling_update.max_surge)
            wanted += while_rolled_out * (int(pool) + _LEADS[workload.labels[COMPONENT]])
    (cluster,) = released.of(Cluster)
    assert 0 < wanted <= int(cluster.spec.postgresql.parameters["max_connections"])
