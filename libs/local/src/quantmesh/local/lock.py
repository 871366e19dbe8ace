"""One supervisor per state folder: a file lock that the kernel lets go of with the process."""

import fcntl
from pathlib import Path
from typing import IO

from quantmesh.local.errors import AlreadyRunning


class SupervisorLock:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def acquire(self, pid: int) -> None:
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self.holder()
            file.close()
            raise AlreadyRunning(holder or 0) from None
        file.truncate(0)
        file.write(str(pid))
        file.flush()
        self._file = file

    def holder(self) -> int | None:
        """The supervisor that runs now."""
        if not self._path.exists():
            return None
        with self._path.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                text = file.read()
                return int(text) if text else None
            return None
