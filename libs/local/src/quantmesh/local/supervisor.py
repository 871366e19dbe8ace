"""Starts the mesh, keeps every part of it alive, and ends it in order."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import IO

from quantmesh.local.errors import LocalError, StartFailed
from quantmesh.local.lock import SupervisorLock
from quantmesh.local.logs import rotate, tail
from quantmesh.local.operator import operator_of
from quantmesh.local.part import Part, PartKind, PartPlan, PartState
from quantmesh.local.plans import (
    embedded_servers,
    local_environment,
    observers,
    require_free_ports,
    server_plan,
    service_plan,
)
from quantmesh.local.secrets import Secrets
from quantmesh.local.settings import LocalSettings
from quantmesh.local.state import (
    MeshReport,
    PartReport,
    Phase,
    end_leftovers,
    read_report,
    start_time,
    write_report,
)

START_PATIENCE_SECONDS = 240.0
START_ATTEMPTS = 7
# More than a service gives itself, so that its log says what it hung on.
STOP_PATIENCE_SECONDS = 15.0
_ROTATION_SECONDS = 10.0
_START_PROBE_SECONDS = 0.05


class Supervisor:
    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self._held: IO[str] | None = None
        self._phase = Phase.STARTING
        self._doing = "starting"
        self._problem: str | None = None
        self._parts: list[Part] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Until it is told to stop; the exit code."""
        folder = self._settings.state_folder
        self._held = SupervisorLock(folder / "supervisor.lock").acquire(os.getpid())
        previous = read_report(folder / "state.json")
        if previous is not None:
            end_leftovers(previous)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        starting = asyncio.create_task(self._start())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
        with suppress(asyncio.CancelledError):
            try:
                await starting
            except LocalError as error:
                self._problem = str(error)
        if self._problem is None and not self._stopping.is_set():
            self._report(Phase.READY, "running")
            await self._keep_logs_small()
        await self._stop()
        return 0 if self._problem is None else 1

    async def _start(self) -> None:
        settings = self._settings
        secrets = Secrets(settings.secrets_file)
        servers = embedded_servers(settings, secrets)
        watching = observers(settings)
        require_free_ports(settings, [*servers, *watching])
        environment = local_environment(settings, secrets)
        if settings.gateway_address is not None:
            operator_of(secrets, settings.gateway_address).write(settings.operator_file)
        plans = [server_plan(server, settings) for server in servers]
        plans += [service_plan(service, settings, environment) for service in settings.workspace.services]
        plans += [server_plan(server, settings, PartKind.OBSERVER) for server in watching]
        self._parts = [Part(plan, self._changed) for plan in plans]
        self._begin(PartKind.OBSERVER)
        self._report(Phase.STARTING, "starting the servers")
        await self._bring_up(PartKind.SERVER)
        if "postgres" in settings.workspace.servers:
            self._report(Phase.STARTING, "migrating the schemas")
            await self._migrate(environment.of_database_setup())
        self._report(Phase.STARTING, "starting the services")
        await self._bring_up(PartKind.SERVICE)

    async def _bring_up(self, kind: PartKind) -> None:
        """All of a kind at once: what they wait for most is the processor, not each other."""
        parts = self._begin(kind)
        deadline = asyncio.get_running_loop().time() + START_PATIENCE_SECONDS
        while late := [part for part in parts if part.state is not PartState.READY]:
            hopeless = next((part for part in late if part.restarts >= START_ATTEMPTS), None)
            if hopeless is not None:
                reason = f"{hopeless.problem}, {START_ATTEMPTS} times"
                raise StartFailed(hopeless.plan.name, reason, hopeless.plan.log)
            if asyncio.get_running_loop().time() > deadline:
                reason = f"it was not ready within {START_PATIENCE_SECONDS:.0f} s"
                raise StartFailed(late[0].plan.name, reason, late[0].plan.log)
            await asyncio.sleep(_START_PROBE_SECONDS)

    def _begin(self, kind: PartKind) -> list[Part]:
        parts = [part for part in self._parts if part.plan.kind is kind]
        self._tasks += [asyncio.create_task(part.keep_alive(), name=part.plan.name) for part in parts]
        return parts

    async def _migrate(self, environment: dict[str, str]) -> None:
        log = self._settings.logs / "database.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "quantmesh.local.database"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                env=environment,
            )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            process.kill()
            raise
        if code != 0:
            last = next((line for line in reversed(tail(log, 20)) if line.strip()), f"code {code}")
            raise StartFailed("The database's setup", last, log)

    async def _keep_logs_small(self) -> None:
        while not self._stopping.is_set():
            for part in self._parts:
                rotate(part.plan.log)
            with suppress(TimeoutError):
                async with asyncio.timeout(_ROTATION_SECONDS):
                    await self._stopping.wait()

    async def _stop(self) -> None:
        """Services first, so that what they still have to write finds its servers."""
        self._report(Phase.STOPPING, "stopping")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for kind in (PartKind.SERVICE, PartKind.SERVER, PartKind.OBSERVER):
            parts = [part for part in self._parts if part.plan.kind is kind]
            await asyncio.gather(*(part.stop(STOP_PATIENCE_SECONDS) for part in parts))
        if self._problem is None:
            (self._settings.state_folder / "state.json").unlink(missing_ok=True)
        else:
            self._report(Phase.FAILED, "stopped")

    def _changed(self) -> None:
        self._report(self._phase, self._doing)

    def _report(self, phase: Phase, doing: str) -> None:
        self._phase, self._doing = phase, doing
        report = MeshReport(os.getpid(), phase, doing, self._problem, tuple(_reports(self._parts)))
        write_report(self._settings.state_folder / "state.json", report)


def _reports(parts: Iterable[Part]) -> Iterable[PartReport]:
    for part in parts:
        plan: PartPlan = part.plan
        yield PartReport(
            name=plan.name,
            kind=plan.kind,
            state=part.state,
            address=plan.address,
            log=str(plan.log),
            pid=part.pid,
            restarts=part.restarts,
            problem=part.problem,
            started=start_time(part.pid),
        )


def make_folders(settings: LocalSettings) -> None:
    for folder in (settings.state_folder, settings.logs, settings.state_folder / "data"):
        # Others may pass through, as Postgres must where root starts it, and read nothing.
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)


def supervise(settings: LocalSettings) -> int:
    make_folders(settings)
    return asyncio.run(Supervisor(settings).run())
