"""What watches the mesh is started where it is installed, and never needed."""

import json
from pathlib import Path

from rich.console import Console

from quantmesh.local.part import PartKind, PartState
from quantmesh.local.plans import observers
from quantmesh.local.screen import show_status
from quantmesh.local.settings import LocalSettings
from quantmesh.local.state import MeshReport, PartReport, Phase
from quantmesh.local.workspace import Workspace

DECLARATION = "[tool.quantmesh]\nops_port = {port}\nservers = []\npeers = []\n"


def settings_of(root: Path, **environ: str) -> LocalSettings:
    for port, name in ((9101, "auth"), (9102, "market")):
        folder = root / "services" / name
        folder.mkdir(parents=True)
        (folder / "pyproject.toml").write_text(DECLARATION.format(port=port))
    (root / "deploy" / "observability" / "rules").mkdir(parents=True)
    programs = root / "programs"
    programs.mkdir()
    return LocalSettings(Workspace.read(root), {"PATH": str(programs), **environ})


def install(settings: LocalSettings) -> None:
    program = settings.workspace.root / "programs" / "prometheus"
    program.touch(mode=0o755)


def test_prometheus_is_left_out_where_it_is_not_installed(tmp_path: Path) -> None:
    assert observers(settings_of(tmp_path)) == []


def test_prometheus_scrapes_each_part_under_its_name_where_it_is_installed(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, QUANTMESH_MARKET_OPS_PORT="20001", QUANTMESH_PROMETHEUS_PORT="20002")
    install(settings)
    (prometheus,) = observers(settings)
    prometheus.prepare()
    written = json.loads((settings.data("prometheus") / "prometheus.yaml").read_text())
    assert {job["job_name"]: job["static_configs"][0]["targets"] for job in written["scrape_configs"]} == {
        "auth": ["127.0.0.1:9101"],
        "market": ["127.0.0.1:20001"],
    }
    assert written["rule_files"] == [str(tmp_path / "deploy" / "observability" / "rules" / "*.yaml")]
    assert prometheus.url == "http://127.0.0.1:20002"


def test_an_observer_that_is_away_leaves_the_mesh_ready() -> None:
    def part(name: str, kind: PartKind, state: PartState) -> PartReport:
        return PartReport(name, kind, state, "127.0.0.1:1", "log", None, 0, None, None)

    def is_ready(*parts: PartReport) -> bool:
        return show_status(Console(quiet=True), MeshReport(1, Phase.READY, "running", None, parts))

    auth = part("auth", PartKind.SERVICE, PartState.READY)
    assert is_ready(auth, part("prometheus", PartKind.OBSERVER, PartState.RESTARTING))
    assert not is_ready(auth, part("market", PartKind.SERVICE, PartState.RESTARTING))
