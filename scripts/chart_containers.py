"""The containers of a rendered release, and how podman runs each as the cluster would: its command, limits, user, root
file system, capabilities and mounts are the chart's.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_CHARTS_PYTHON = ROOT / ".venv-ops" / "bin" / "python"
_RENDER = """
import json, sys, rendering
json.dump([manifest.content for manifest in rendering.render("quantmesh", sys.argv[1])], sys.stdout)
"""
_COMPONENT = "app.kubernetes.io/component"
# Here as in a cluster's user namespace; a machine's own limits may lie below podman's defaults, which fail then.
_PROCESS_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")


@dataclass(frozen=True)
class Container:
    """`command` stands for the image's own where it is not empty. `environment` is what the chart says in the open;
    `secrets` are the variables that it takes from elsewhere."""

    part: str
    component: str
    image: str
    command: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    secrets: frozenset[str]
    security: tuple[str, ...]
    limits: tuple[str, ...]
    temporary: tuple[str, ...]
    volumes: Mapping[str, str]
    grace_seconds: int
    ports: Mapping[str, int] = field(default_factory=dict)

    def podman(self, name: str, image: str, environment: Mapping[str, str], volumes: Mapping[str, Path]) -> list[str]:
        """The arguments of `podman`; `volumes` are folders of this machine by the names of claims."""
        mounts = [part for claim, path in self.volumes.items() for part in ("--volume", f"{volumes[claim]}:{path}")]
        variables = [part for key, value in environment.items() for part in ("--env", f"{key}={value}")]
        entrypoint = ["--entrypoint", json.dumps(self.command)] if self.command else []
        return [
            *("run", "--detach", "--name", name, "--runtime", "runc", "--network", "host", *_PROCESS_LIMITS),
            *(*self.security, *self.limits, *self.temporary, *mounts, *variables, *entrypoint, image),
            *self.arguments,
        ]


def containers(environment: str) -> list[Container]:
    """Those of services, workers and the migrations' Job, which come first and in their order."""
    done = subprocess.run(  # noqa: S603 - our own command
        [_CHARTS_PYTHON, "-c", _RENDER, environment],
        env={**os.environ, "PYTHONPATH": str(ROOT / "deploy" / "k8s" / "tests")},
        capture_output=True,
        text=True,
        check=True,
    )
    return containers_of(json.loads(done.stdout))


def containers_of(objects: list[dict[str, Any]]) -> list[Container]:
    found = {
        kind: {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}
        for kind in ("ConfigMap", "Secret", "Job", "Deployment")
    }
    ours = [*found["Job"].values(), *found["Deployment"].values()]
    wanted = [each for each in ours if each["metadata"]["labels"][_COMPONENT] in {"job", "service", "worker"}]
    return [
        container
        for workload in wanted
        if workload["metadata"]["labels"]["app.kubernetes.io/part-of"] == "quantmesh"
        for container in _of_workload(workload, found["ConfigMap"], found["Secret"])
        if "quantmesh-" in container.image
    ]


def _of_workload(
    workload: dict[str, Any], config_maps: Mapping[str, Any], secrets: Mapping[str, Any]
) -> Iterator[Container]:
    pod = workload["spec"]["template"]["spec"]
    sizes = {each["name"]: each["emptyDir"]["sizeLimit"] for each in pod["volumes"] if "emptyDir" in each}
    claims = {
        v["name"]: v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v
    }
    for each in (*pod.get("initContainers", ()), *pod["containers"]):
        sources = each.get("envFrom", ())
        variables = each.get("env", ())
        open_values: dict[str, str] = {}
        for source in sources:
            if "configMapRef" in source:
                open_values |= config_maps[source["configMapRef"]["name"]]["data"]
        secret = {v["name"] for v in variables if "valueFrom" in v and not _is_optional(v["valueFrom"])}
        for source in sources:
            if "secretRef" in source:
                made = secrets[source["secretRef"]["name"]]
                secret |= {*made.get("data", ()), *made.get("stringData", ())}
        mounts = {mount["name"]: mount["mountPath"] for mount in each["volumeMounts"]}
        yield Container(
            part=workload["metadata"]["name"],
            component=workload["metadata"]["labels"][_COMPONENT],
            image=each["image"].rpartition("/")[2].partition(":")[0],
            command=tuple(each.get("command", ())),
            arguments=tuple(each.get("args", ())),
            environment=open_values | {v["name"]: v["value"] for v in variables if "value" in v},
            secrets=frozenset(secret),
            security=tuple(_security(pod["securityContext"], each["securityContext"])),
            limits=tuple(_limits(each["resources"]["limits"])),
            # Podman would add writable folders to a read-only root by itself.
            temporary=tuple(
                part
                for name, path in mounts.items()
                if name in sizes
                for part in ("--tmpfs", f"{path}:rw,mode=1777,size={_podman_size(sizes[name])}")
            ),
            volumes={claims[name]: path for name, path in mounts.items() if name in claims},
            grace_seconds=pod.get("terminationGracePeriodSeconds", 30),
            ports={port["name"]: port["containerPort"] for port in each.get("ports", ())},
        )


def _is_optional(origin: Mapping[str, Any]) -> bool:
    return any(reference.get("optional", False) for reference in origin.values())


def _security(pod: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[str]:
    if pod["seccompProfile"]["type"] != "RuntimeDefault":
        msg = f"podman's own seccomp profile is RuntimeDefault, the chart wants {pod['seccompProfile']}"
        raise ValueError(msg)
    yield from ("--user", f"{pod['runAsUser']}:{pod['runAsGroup']}")
    if container["readOnlyRootFilesystem"]:
        yield from ("--read-only", "--read-only-tmpfs=false")
    if not container["allowPrivilegeEscalation"]:
        yield from ("--security-opt", "no-new-privileges")
    for capability in container["capabilities"]["drop"]:
        yield from ("--cap-drop", capability)


def _limits(limits: Mapping[str, str]) -> Iterator[str]:
    """Without swap, as on a node."""
    cpu = str(limits["cpu"])
    yield from ("--cpus", str(float(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)))
    memory = _podman_size(limits["memory"])
    yield from ("--memory", memory, "--memory-swap", memory)


def _podman_size(quantity: str) -> str:
    """Kubernetes writes powers of two as Mi and Gi, podman as m and g."""
    if quantity[-2:] not in {"Mi", "Gi"}:
        msg = f"{quantity} is no size in Mi or Gi"
        raise ValueError(msg)
    return quantity[:-2] + quantity[-2].lower()
