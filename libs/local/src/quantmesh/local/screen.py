"""What `up` and `status` show."""

import time
from types import TracebackType

import psutil
from rich.console import Console
from rich.table import Table

from quantmesh.local.operator import Operator
from quantmesh.local.part import PartKind, PartState
from quantmesh.local.settings import LocalSettings
from quantmesh.local.state import MeshReport, PartReport, Phase


class Progress:
    """A line for each part as it becomes ready, below them what is being done now."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("starting")
        self._shown: set[str] = set()
        self._began = time.monotonic()

    def __enter__(self) -> "Progress":
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def update(self, report: MeshReport) -> None:
        late = [part for part in report.parts if part.state is PartState.RESTARTING and part.problem]
        trouble = f" ({late[0].name}: {late[0].problem}, trying again)" if late else ""
        self._status.update(f"{report.doing}{trouble}")
        for part in report.parts:
            if part.state is PartState.READY and part.name not in self._shown:
                self._shown.add(part.name)
                seconds = time.monotonic() - self._began
                self._console.print(f"  [green]✓[/green] {part.name:<12} {part.address:<24} {seconds:4.1f} s")


def show_addresses(console: Console, settings: LocalSettings, report: MeshReport) -> None:
    console.print(f"[bold]quantmesh is up[/bold]: {len(report.parts)} parts under supervisor {report.supervisor}.")
    table = Table.grid(padding=(0, 2))
    gateway = settings.gateway_address
    if gateway is not None:
        table.add_row("REST", f"{gateway}/api/v2")
        table.add_row("Reference", f"{gateway}/docs")
        table.add_row("WebSocket", f"{gateway.replace('http', 'ws', 1)}/api/v2/stream")
    for part in report.parts:
        if part.kind is PartKind.OBSERVER:
            table.add_row(part.name.capitalize(), f"http://{part.address}")
    operator = Operator.read(settings.operator_file)
    if operator is not None:
        table.add_row("Operator", f"{operator.email}  password {operator.password}")
    table.add_row("Logs", "make logs s=pricing")
    console.print(table)


def show_status(console: Console, report: MeshReport) -> bool:
    """Whether all of it is ready that the mesh needs."""
    table = Table(box=None, header_style="bold")
    for column in ("part", "state", "address", "pid"):
        table.add_column(column)
    for column in ("memory", "restarts"):
        table.add_column(column, justify="right")
    total = 0
    for part in report.parts:
        memory = _memory(part)
        total += memory
        colour = "green" if part.state is PartState.READY else "red"
        table.add_row(
            part.name,
            f"[{colour}]{part.state}[/{colour}]",
            part.address,
            str(part.pid or ""),
            f"{memory / 2**20:.0f} MiB",
            str(part.restarts),
        )
    console.print(table)
    for part in report.parts:
        if part.problem and part.state is not PartState.READY:
            console.print(f"{part.name}: {part.problem}; see {part.log}", highlight=False, soft_wrap=True)
    console.print(f"{report.phase}; {total / 2**20:.0f} MiB in all")
    needed = [part for part in report.parts if part.kind is not PartKind.OBSERVER]
    return report.phase is Phase.READY and all(part.state is PartState.READY for part in needed)


def _memory(part: PartReport) -> int:
    """Proportional set size of a part's processes, in bytes: pages that they share are counted once."""
    if part.pid is None:
        return 0
    try:
        process = psutil.Process(part.pid)
        return sum(each.memory_full_info().pss for each in (process, *process.children(recursive=True)))
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
