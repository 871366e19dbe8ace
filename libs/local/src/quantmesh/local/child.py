"""A child process in a process group of its own, which the kernel ends with its parent."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from quantmesh.local.errors import ToolMissing


@dataclass(frozen=True)
class Account:
    """The user a program runs as instead of root, and the capabilities it keeps."""

    user: str
    capabilities: tuple[str, ...] = ()


def launcher(stop_signal: signal.Signals, account: Account | None) -> list[str]:
    """The prefix of a command that ties it to its parent's life, and drops root where an account is given.

    A program of util-linux and not a function between fork and exec: forking a process that has threads is not safe.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ToolMissing("setpriv", "install the package util-linux")
    prefix = [setpriv, "--pdeathsig", stop_signal.name.removeprefix("SIG")]
    if account is not None:
        prefix += ["--reuid", account.user, "--regid", str(_group_of(account.user)), "--clear-groups"]
        if account.capabilities:
            kept = ",".join(f"+{name}" for name in account.capabilities)
            prefix += [f"--inh-caps={kept}", f"--ambient-caps={kept}"]
    return prefix


def _group_of(user: str) -> int:
    return pwd.getpwnam(user).pw_gid


def _is_alive(process: psutil.Process) -> bool:
    """One that nobody has reaped yet is not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class ChildProcess:
    """Start it from the main thread: the kernel counts the end of the thread that started a child as its parent's."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        account: Account | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = [*launcher(stop_signal, account), *command]
        self._environment = dict(environment) if environment is not None else None
        self._folder = folder
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """None while it runs, or before it was started."""
        return self._process.poll() if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - commands are built by this package alone
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self._folder,
                process_group=0,
            )

    async def ended(self) -> None:
        """Returns once it is no longer running."""
        if self._process is None or self._process.poll() is not None:
            return
        event = asyncio.Event()
        descriptor = os.pidfd_open(self._process.pid)
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, event.set)
        try:
            await event.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self._stop_signal)

    def kill(self) -> None:
        """End it and all it has started, at once: its process group, workers that outlived it included, and what runs
        in a session of its own (each backend of Postgres does, and would answer one more statement). Returns once they
        are gone.
        """
        if self._process is not None:
            descendants = self._descendants()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            for each in descendants:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            self._process.wait()
            while any(_is_alive(each) for each in descendants):
                time.sleep(0.005)

    def _descendants(self) -> list[psutil.Process]:
        if self._process is None or self._process.poll() is not None:
            return []
        try:
            return psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def stop(self, patience_seconds: float = 10.0) -> None:
        """Ask, wait, and kill what is left."""
        if self._process is None:
            return
        self.ask_to_stop()
        deadline = time.monotonic() + patience_seconds
        while self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        self.kill()
