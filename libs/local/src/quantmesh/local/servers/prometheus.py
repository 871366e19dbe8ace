"""Prometheus, where the machine has it: it scrapes every part and evaluates the rules that the cluster has, too."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from quantmesh.local.child import ChildProcess
from quantmesh.local.network import LOOPBACK, http_status

# Longer than the longest window of a rule, three days.
_RETENTION = ("7d", "1GB")


@dataclass(frozen=True)
class PrometheusServer:
    """`targets` holds the operators' port of each part, whose name is the label `job` as in the cluster."""

    folder: Path
    port: int
    program: Path
    rules: Path
    targets: Mapping[str, int]
    name: str = "prometheus"

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = {
            "global": {"scrape_interval": "15s", "evaluation_interval": "30s"},
            "rule_files": [str(self.rules / "*.yaml")],
            "scrape_configs": [
                {"job_name": part, "static_configs": [{"targets": [f"{LOOPBACK}:{port}"]}]}
                for part, port in self.targets.items()
            ],
        }
        # JSON is YAML.
        self._configuration.write_text(json.dumps(configuration, indent=2))

    def child(self, log: Path) -> ChildProcess:
        age, size = _RETENTION
        command = [
            str(self.program),
            f"--config.file={self._configuration}",
            f"--web.listen-address={LOOPBACK}:{self.port}",
            f"--storage.tsdb.path={self.folder / 'series'}",
            f"--storage.tsdb.retention.time={age}",
            f"--storage.tsdb.retention.size={size}",
            "--enable-feature=exemplar-storage",
            "--log.level=warn",
        ]
        return ChildProcess(self.name, command, log)

    def is_ready(self) -> bool:
        return http_status(self.port, "/-/ready") == HTTPStatus.OK

    @property
    def _configuration(self) -> Path:
        return self.folder / "prometheus.yaml"
