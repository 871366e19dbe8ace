"""The Kubernetes objects of a release, with the fields that the tests speak of."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Part(BaseModel):
    """Fields that are not named here are left out: kubernetes-validate has looked at all of them."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="ignore")


class Metadata(Part):
    name: str
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Named(Part):
    kind: str
    metadata: Metadata

    @property
    def name(self) -> str:
        return self.metadata.name

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Expression(Part):
    key: str
    operator: str
    values: list[str] = []


class Selector(Part):
    match_labels: dict[str, str] = {}
    match_expressions: list[Expression] = []

    def matches(self, labels: Mapping[str, str]) -> bool:
        """An empty selector matches everything."""
        return self.match_labels.items() <= labels.items() and all(
            _holds(expression, labels) for expression in self.match_expressions
        )


def _holds(expression: Expression, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression.key)
    return {
        "In": value in expression.values,
        "NotIn": value not in expression.values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[expression.operator]


class KeyReference(Part):
    name: str
    key: str
    optional: bool = False


class ValueFrom(Part):
    secret_key_ref: KeyReference | None = None
    config_map_key_ref: KeyReference | None = None


class Variable(Part):
    name: str
    value: str = ""
    value_from: ValueFrom | None = None


class Reference(Part):
    name: str
    optional: bool = False


class VariablesFrom(Part):
    config_map_ref: Reference | None = None
    secret_ref: Reference | None = None


class ContainerPort(Part):
    name: str = ""
    container_port: int
    protocol: str = "TCP"


class Handler(Part):
    http_get: dict[str, Any] | None = None
    grpc: dict[str, Any] | None = None
    tcp_socket: dict[str, Any] | None = None
    sleep: dict[str, int] | None = None


class Lifecycle(Part):
    pre_stop: Handler | None = None


class Capabilities(Part):
    add: list[str] = []
    drop: list[str] = []


class SecurityContext(Part):
    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    privileged: bool = False
    allow_privilege_escalation: bool | None = None
    read_only_root_filesystem: bool | None = None
    capabilities: Capabilities = Capabilities()
    seccomp_profile: dict[str, str] | None = None


class Resources(Part):
    requests: dict[str, str | int] = {}
    limits: dict[str, str | int] = {}


class Mount(Part):
    name: str


class Container(Part):
    name: str
    image: str
    command: list[str] = []
    args: list[str] = []
    env: list[Variable] = []
    env_from: list[VariablesFrom] = []
    ports: list[ContainerPort] = []
    lifecycle: Lifecycle = Lifecycle()
    liveness_probe: Handler | None = None
    readiness_probe: Handler | None = None
    startup_probe: Handler | None = None
    resources: Resources = Resources()
    security_context: SecurityContext = SecurityContext()
    volume_mounts: list[Mount] = []

    @property
    def probes(self) -> list[Handler]:
        return [probe for probe in (self.startup_probe, self.readiness_probe, self.liveness_probe) if probe]


class Volume(Part):
    name: str
    secret: dict[str, Any] | None = None
    config_map: dict[str, Any] | None = None
    host_path: dict[str, Any] | None = None


class PodSpec(Part):
    containers: list[Container]
    init_containers: list[Container] = []
    volumes: list[Volume] = []
    security_context: SecurityContext = SecurityContext()
    service_account_name: str = ""
    automount_service_account_token: bool | None = None
    restart_policy: str = "Always"
    termination_grace_period_seconds: int = 30
    topology_spread_constraints: list["TopologySpread"] = []
    node_selector: dict[str, str] = {}
    host_network: bool = False
    host_p_i_d: bool = Field(default=False, alias="hostPID")

    @property
    def all_containers(self) -> list[Container]:
        return [*self.init_containers, *self.containers]


class TopologySpread(Part):
    topology_key: str = ""
    label_selector: Selector = Selector()
    when_unsatisfiable: str = "DoNotSchedule"
    node_taints_policy: str = "Ignore"


class PodTemplateMetadata(Part):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class PodTemplate(Part):
    metadata: PodTemplateMetadata = PodTemplateMetadata()
    spec: PodSpec


class Claim(Part):
    metadata: Metadata


class RollingUpdate(Part):
    max_surge: int | str = "25%"
    max_unavailable: int | str = "25%"


class Strategy(Part):
    rolling_update: RollingUpdate = RollingUpdate()


class WorkloadSpec(Part):
    replicas: int | None = None
    strategy: Strategy = Strategy()
    selector: Selector = Selector()
    volume_claim_templates: list[Claim] = []
    template: PodTemplate


class Workload(Named):
    """A Deployment, StatefulSet, DaemonSet or Job."""

    spec: WorkloadSpec

    @property
    def pod(self) -> PodSpec:
        return self.spec.template.spec

    @property
    def labels(self) -> dict[str, str]:
        """Those of its pods."""
        return self.spec.template.metadata.labels


class ServicePort(Part):
    name: str = ""
    port: int
    target_port: int | str | None = None
    protocol: str = "TCP"


class ServiceSpec(Part):
    selector: dict[str, str] = {}
    ports: list[ServicePort] = []


class Service(Named):
    spec: ServiceSpec


class BudgetSpec(Part):
    selector: Selector
    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    unhealthy_pod_eviction_policy: str = "IfHealthyBudget"


class PodDisruptionBudget(Named):
    spec: BudgetSpec


class ScaleTarget(Part):
    kind: str = "Deployment"
    name: str


class HpaSpec(Part):
    scale_target_ref: ScaleTarget
    min_replicas: int = 1
    max_replicas: int
    metrics: list[dict[str, Any]] = []


class HorizontalPodAutoscaler(Named):
    spec: HpaSpec


class ScaledObjectSpec(Part):
    scale_target_ref: ScaleTarget
    min_replica_count: int = 0
    max_replica_count: int = 100
    triggers: list[dict[str, Any]]


class ScaledObject(Named):
    spec: ScaledObjectSpec


class ConfigMap(Named):
    data: dict[str, str] = {}


class Secret(Named):
    data: dict[str, str] = {}
    string_data: dict[str, str] = {}

    @property
    def keys(self) -> set[str]:
        return {*self.data, *self.string_data}


class ServiceAccount(Named):
    automount_service_account_token: bool | None = None
