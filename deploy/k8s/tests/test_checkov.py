"""checkov finds nothing in what the charts make nor in the Dockerfile, but for the exceptions in checkov.yaml."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from release import ROOT, distinct_manifests
from rendering import NAMESPACE

_CONFIGURATION = Path(__file__).parent / "checkov.yaml"
_MOST_EXCEPTIONS = 5


def test_checkov_finds_nothing(tmp_path: Path) -> None:
    # Helm puts what it installs into the release's namespace; rendered objects do not say so yet.
    objects = [{**m.content, "metadata": {"namespace": NAMESPACE, **m.metadata}} for _, m in distinct_manifests()]
    (tmp_path / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    (tmp_path / "Dockerfile").write_text((ROOT / "deploy/docker/Dockerfile").read_text())
    checkov = Path(sys.executable).parent / "checkov"
    done = subprocess.run(
        [checkov, "--directory", tmp_path, "--config-file", _CONFIGURATION, "--output", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    reports: list[dict[str, Any]] = json.loads(done.stdout)
    assert {report["check_type"]: report["summary"]["parsing_errors"] for report in reports} == {
        "kubernetes": 0,
        "dockerfile": 0,
    }
    assert all(report["summary"]["passed"] for report in reports), "nothing was looked at"
    found = [
        f"{f['check_id']} {f['check_name']}: {f['resource']}" for r in reports for f in r["results"]["failed_checks"]
    ]
    assert found == []


def test_exceptions_are_few() -> None:
    assert len(yaml.safe_load(_CONFIGURATION.read_text())["skip-check"]) <= _MOST_EXCEPTIONS
