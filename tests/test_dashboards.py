"""Dashboards show what there is: each query against docs/metrics.md, each link against what it leads to."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from dashboards.catalogue import JSON, texts

from quantmesh.local.workspace import Workspace

from .metrics_page import series_labels
from .promql import TARGET_LABELS, grouping, selections

ROOT = Path(__file__).parent.parent
DASHBOARDS = {name: json.loads(text) for name, text in texts().items()}
GRID_WIDTH = 24
# Of Prometheus itself and of its client library.
FOREIGN = {"up", "process_start_time_seconds", "process_cpu_seconds_total", "process_open_fds"}
FOREIGN |= {"process_resident_memory_bytes"}


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (panel for panel in dashboard["panels"] if panel["type"] != "row")


def targets(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (target for panel in panels(dashboard) for target in panel["targets"])


def test_the_files_are_what_the_code_says() -> None:
    written = {path.name: path.read_text() for path in JSON.glob("*.json")}
    assert written == texts(), "make dashboards writes them anew"


def test_there_is_a_page_for_each_service_beside_those_of_the_whole() -> None:
    services = {path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml")}
    general = {"overview", "money", "events", "numerics", "business"}
    assert {dashboard["uid"] for dashboard in DASHBOARDS.values()} == general | {f"service-{name}" for name in services}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_panel_says_what_it_shows_in_which_unit_and_leads_to_a_runbook_that_exists(name: str) -> None:
    for panel in panels(DASHBOARDS[name]):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}, panel["title"]
        for link in panel.get("links", []):
            assert (ROOT / link["url"]).is_file(), panel["title"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_query_asks_for_documented_series_by_their_labels(name: str) -> None:
    known = series_labels() | dict.fromkeys(FOREIGN, frozenset())
    for target in targets(DASHBOARDS[name]):
        labels: set[str] = set(TARGET_LABELS)
        for series, matched in selections(target["expr"]):
            assert series in known, target["expr"]
            assert matched <= known[series] | TARGET_LABELS, target["expr"]
            labels |= known[series]
        grouped = grouping(target["expr"])
        assert grouped <= labels, target["expr"]
        # A label that was summed away would stand in the legend as nothing.
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= grouped, target["expr"]


def test_queries_name_methods_and_parts_that_exist() -> None:
    methods = {
        method for path in (ROOT / "protos").rglob("*.proto") for method in re.findall(r"rpc (\w+)\(", path.read_text())
    }
    services = {service.name for service in Workspace.read(ROOT).services}
    asked: dict[str, set[str]] = {"method": set(), "job": set(), "schema": set()}
    for dashboard in DASHBOARDS.values():
        for target in targets(dashboard):
            for label, values in re.findall(r'\b(method|job|schema)=~?"([^"]*)"', target["expr"]):
                asked[label] |= set(re.sub(r"\(-worker\)\?|[()]", "", values).split("|"))
    assert asked["method"] <= methods
    assert asked["job"] == services
    assert asked["schema"] <= services


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_lie_side_by_side_and_over_nothing(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARDS[name]["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= GRID_WIDTH
        cells = {
            (column, row) for column in range(at["x"], at["x"] + at["w"]) for row in range(at["y"], at["y"] + at["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARDS[name]["panels"]}) == len(DASHBOARDS[name]["panels"])


@pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed (apt-get install prometheus): queries are not parsed",
)
def test_promtool_can_read_every_query(tmp_path: Path) -> None:
    queries = {
        target["expr"].replace("$__rate_interval", "5m")
        for dashboard in DASHBOARDS.values()
        for target in targets(dashboard)
    }
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(sorted(queries))]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)  # noqa: S607
    assert done.returncode == 0, done.stdout + done.stderr
