"""What can go wrong on a developer's machine, each said in one line with what to do.

LocalError
├── ToolMissing      a program or package that setup should have brought is not there
├── PortTaken        another program listens where one of ours should
├── StartFailed      a part ended, or was not ready in time; its log says why
└── AlreadyRunning   a supervisor holds this workspace
"""

from pathlib import Path


class LocalError(Exception):
    """Base of everything this package raises on purpose; its text is shown to the user as it is."""


class ToolMissing(LocalError):
    def __init__(self, tool: str, remedy: str) -> None:
        super().__init__(f"{tool} is missing: {remedy}.")
        self.tool = tool


class PortTaken(LocalError):
    def __init__(self, part: str, port: int, setting: str, holder: str | None) -> None:
        by = f" by {holder}" if holder else ""
        super().__init__(f"Port {port} of {part} is taken{by}: stop that program, or set {setting} to a free port.")
        self.port = port


class StartFailed(LocalError):
    def __init__(self, part: str, reason: str, log: Path | None = None) -> None:
        where = f" See {log}." if log else ""
        super().__init__(f"{part} did not start: {reason}.{where}")
        self.part = part


class AlreadyRunning(LocalError):
    def __init__(self, pid: int) -> None:
        super().__init__(f"The mesh is already up, under supervisor {pid}: run `make down` first.")
        self.pid = pid
