"""One supervisor per state folder: a file lock that the kernel lets go of with the process."""

import fcntl
import time
from pathlib import Path
from typing import IO

from quantmesh.local.errors import AlreadyRunning

_LOOK_SECONDS = 1.0


class SupervisorLock:
    def __init__(self, path: Path) -> None:
        self._path = path

    def acquire(self, pid: int) -> IO[str]:
        """It is held for as long as what this returns is open."""
        file = self._path.open("a+")
        deadline = time.monotonic() + _LOOK_SECONDS
        while not _locked(file, fcntl.LOCK_EX):
            # Who only looks for the holder has it for an instant.
            if time.monotonic() > deadline:
                file.close()
                raise AlreadyRunning(self.holder() or 0)
            time.sleep(0.01)
        file.truncate(0)
        file.write(str(pid))
        file.flush()
        return file

    def holder(self) -> int | None:
        """The supervisor that runs now."""
        if not self._path.exists():
            return None
        with self._path.open("a+") as file:
            # Shared, so that two who look do not take each other for a supervisor.
            if _locked(file, fcntl.LOCK_SH):
                return None
            file.seek(0)
            text = file.read()
            return int(text) if text else None


def _locked(file: IO[str], kind: int) -> bool:
    """Whether it could be had at once."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
