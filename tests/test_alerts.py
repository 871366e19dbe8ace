"""Alerts say what to do, rest on metrics that are there, and are proved to fire and to stay silent."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantmesh.api.portfolio.v1 import portfolio_pb2, rebalance_pb2
from quantmesh.local.workspace import Workspace

from .metrics_page import series_labels, server_labels
from .promql import TARGET_LABELS, selections

ROOT = Path(__file__).parent.parent
RULES = sorted((ROOT / "deploy/observability/rules").glob("*.yaml"))
CASES = sorted((ROOT / "deploy/observability/tests").glob("*.yaml"))
RUNBOOKS = ROOT / "docs/runbooks"
HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
# Of Prometheus itself and of its client library.
FOREIGN = {"up", "process_resident_memory_bytes", "process_start_time_seconds"}

PROMTOOL = shutil.which("promtool")
with_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed (apt-get install prometheus): alerts are not tried"
)


def rules() -> Iterator[dict[str, Any]]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


ALERTS = [rule for rule in rules() if "alert" in rule]
NAMES = sorted({alert["alert"] for alert in ALERTS})


@pytest.mark.parametrize("alert", NAMES)
def test_an_alert_has_a_runbook_of_four_parts(alert: str) -> None:
    text = (RUNBOOKS / f"{alert}.md").read_text()
    assert text.startswith(f"# {alert}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS


def test_a_runbook_belongs_to_an_alert_and_names_metrics_that_are_there() -> None:
    pages = {path.stem: path.read_text() for path in RUNBOOKS.glob("*.md")}
    assert sorted(pages) == sorted([*NAMES, "README"])
    named = {series for text in pages.values() for series, _ in selections(text) if ":" not in series} - FOREIGN
    assert named
    assert named <= series_labels().keys() | server_labels().keys()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert['alert']}-{alert['labels'].get('window', '')}")
def test_an_alert_says_how_urgent_it_is_and_where_to_read_on(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{alert['alert']}.md"
    assert alert["annotations"]["summary"]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert['alert']}-{alert['labels'].get('window', '')}")
def test_an_alert_is_tried_both_ways(alert: dict[str, Any]) -> None:
    tried = [
        case
        for path in CASES
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test.get("alert_rule_test", [])
        if case["alertname"] == alert["alert"]
    ]
    fired = [each["exp_labels"] for case in tried for each in case["exp_alerts"]]
    assert any(alert["labels"].items() <= labels.items() for labels in fired)
    assert any(not case["exp_alerts"] for case in tried)


def test_what_rules_read_is_documented_and_has_the_labels_that_they_ask_for() -> None:
    known = series_labels() | server_labels()
    for rule in rules():
        for series, matched in selections(rule["expr"]):
            if series in FOREIGN:
                continue
            assert series in known, rule
            assert matched <= known[series] | TARGET_LABELS, rule


def test_what_rules_record_is_documented() -> None:
    known = series_labels()
    recorded = [rule for rule in rules() if "record" in rule]
    assert {rule["record"] for rule in recorded} == {name for name in known if ":" in name}
    for rule in recorded:
        assert set(rule.get("labels", {})) <= known[rule["record"]]


def test_each_method_that_moves_money_by_the_rules_is_one_of_portfolios() -> None:
    listed = next(rule["expr"] for rule in rules() if rule.get("record") == "money:calls:rate5m")
    methods = set(re.findall(r'method=~"([\w|]+)"', listed)[0].split("|"))
    offered = {
        method.name
        for file in (portfolio_pb2, rebalance_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert methods
    assert methods <= offered


def test_no_service_is_left_out_of_the_alerts_on_processes() -> None:
    names = "|".join(service.name for service in Workspace.read(ROOT).services)
    watched = {
        rule["alert"]: rule["expr"] for rule in ALERTS if rule["alert"] in {"PartDown", "PartGone", "PartRestarts"}
    }
    assert all(f'{{job=~"({names})(-worker)?"}}' in expression for expression in watched.values())


def test_every_lead_is_watched() -> None:
    """Its own series end with it, so that what is watched is named by the rules."""
    relays, consumers = (rule["expr"] for rule in ALERTS if rule["alert"] == "NobodyLeads")
    watched = set(re.findall(r'job="(\w+)", consumer="([\w-]+)"', consumers))
    assert watched == {
        (path.parent.name, consumer)
        for path in ROOT.glob("services/*/pyproject.toml")
        for durables in tomllib.loads(path.read_text())["tool"]["quantmesh"].get("consumers", {}).values()
        for consumer in durables
    }
    publishing = {
        path.parents[3].name
        for path in ROOT.glob("services/*/src/quantmesh/*/__main__.py")
        if "service.publish_events()" in path.read_text()
    }
    assert [set(jobs.split("|")) for jobs in re.findall(r'job=~"([\w|]+)"', relays)] == [publishing, publishing]


@with_promtool
def test_promtool_takes_the_rules() -> None:
    promtool("check", "rules", *map(str, RULES))


@with_promtool
@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_alerts_fire_and_stay_silent_as_promtool_tries_them(cases: Path) -> None:
    promtool("test", "rules", str(cases))


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)  # noqa: S607  found above
    assert done.returncode == 0, done.stdout + done.stderr
