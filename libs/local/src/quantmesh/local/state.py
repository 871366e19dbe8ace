"""What the supervisor tells other commands about itself: a file, replaced whole at each change."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from quantmesh.local.part import PartKind, PartState


class Phase(StrEnum):
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True)
class PartReport:
    name: str
    kind: PartKind
    state: PartState
    address: str
    log: str
    pid: int | None
    restarts: int
    problem: str | None
    started: float | None
    """Creation time of process `pid`, which tells it from a later process of the same number."""


@dataclass(frozen=True)
class MeshReport:
    supervisor: int
    phase: Phase
    doing: str
    problem: str | None
    parts: tuple[PartReport, ...]


def write_report(path: Path, report: MeshReport) -> None:
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(asdict(report)))
    unfinished.replace(path)


def read_report(path: Path) -> MeshReport | None:
    """The last one written, which a killed supervisor leaves behind."""
    if not path.exists():
        return None
    values = json.loads(path.read_text())
    parts = tuple(
        PartReport(**(part | {"kind": PartKind(part["kind"]), "state": PartState(part["state"])}))
        for part in values.pop("parts")
    )
    return MeshReport(**(values | {"phase": Phase(values["phase"]), "parts": parts}))


def start_time(pid: int | None) -> float | None:
    try:
        return psutil.Process(pid).create_time() if pid is not None else None
    except psutil.NoSuchProcess:
        return None


def end_leftovers(report: MeshReport) -> list[str]:
    """Kill what a killed supervisor's parts have left running; their names."""
    ended = []
    for part in report.parts:
        if part.pid is None or part.started is None or start_time(part.pid) != part.started:
            continue
        process = psutil.Process(part.pid)
        for each in (*process.children(recursive=True), process):
            each.kill()
        process.wait(5)
        ended.append(part.name)
    return ended
