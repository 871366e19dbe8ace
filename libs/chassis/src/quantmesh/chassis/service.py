"""The life of a service: settings, parts, readiness, work, and an orderly end."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import uvloop
from google.protobuf.descriptor import ServiceDescriptor

from quantmesh.chassis.cancellation import end
from quantmesh.chassis.clock import SystemClock
from quantmesh.chassis.database import Database
from quantmesh.chassis.events import Consumer, EventBus
from quantmesh.chassis.housekeeping import keep_house
from quantmesh.chassis.identity import TokenVerifier
from quantmesh.chassis.readiness import Readiness
from quantmesh.chassis.relay import Relay
from quantmesh.chassis.rpc.keys import AuthKeys
from quantmesh.chassis.rpc.peer import Peer
from quantmesh.chassis.rpc.peers import Peers
from quantmesh.chassis.rpc.server import AddToServer, RpcServer
from quantmesh.chassis.rpc.tls import TlsFolder, UnusableCertificate
from quantmesh.chassis.schema import wait_until_migrated
from quantmesh.chassis.settings import MissingSettingError, ServiceSettings, load_or_exit
from quantmesh.chassis.shutdown import end_process_within
from quantmesh.chassis.telemetry.build import show_build
from quantmesh.chassis.telemetry.forwards import forwards_of
from quantmesh.chassis.telemetry.logs import configure_logs, get_logger
from quantmesh.chassis.telemetry.ops import OpsServer
from quantmesh.chassis.telemetry.tracing import configure_tracing, shutdown_tracing

log = get_logger(__name__)

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)
Step = Callable[[], Awaitable[None]]
# By this multiple of the seconds that calls in flight are given the process has ended.
_BOUND = 1.4


@dataclass
class _Parts:
    """What `wire` has handed over."""

    servicers: list[tuple[AddToServer, object]] = field(default_factory=list)
    tasks: list[tuple[str, Step]] = field(default_factory=list)
    drains: list[Step] = field(default_factory=list)
    stops: list[Step] = field(default_factory=list)


class Service(Generic[SettingsT]):
    """One process of the mesh. `wire` builds its parts on this; `run` starts, watches and ends them."""

    def __init__(self, name: str, settings: SettingsT) -> None:
        self.name = name
        self.settings = settings
        self.clock = SystemClock()
        self._parts = _Parts()
        self._verifier: TokenVerifier | None = None
        self._database: Database | None = None
        self._bus: EventBus | None = None
        self._ops: OpsServer | None = None
        self._tls = TlsFolder(Path(settings.tls_folder)) if settings.tls_folder else None
        self._peers = Peers(name, settings.service_secret.get_secret_value(), settings.targets, self._tls)
        self._stopping = asyncio.Event()
        self._failed = False
        self._readiness = Readiness()

    @property
    def database(self) -> Database:
        """The pool; from its first use on the service is ready only while Postgres answers."""
        if self._database is None:
            if self.settings.database_url is None:
                raise MissingSettingError(self.name, "QUANTMESH_DATABASE_URL")
            self._database = Database(
                self.settings.database_url.get_secret_value(), self.name, pool_size=self.settings.database_pool_size
            )
            self._readiness.checks["postgres"] = self._database.ping
            self.add_work("housekeeping", partial(keep_house, self._database))
        return self._database

    @property
    def bus(self) -> EventBus:
        if self._bus is None:
            if not self.settings.nats_url:
                raise MissingSettingError(self.name, "QUANTMESH_NATS_URL")
            self._bus = EventBus(self.settings.nats_url, self.name, self.settings.stream_replicas)
            self._readiness.checks["nats"] = self._bus.ping
        return self._bus

    def publish_events(self) -> None:
        """Let the relay bring what this service writes to its outbox onto JetStream."""
        self.add_work("relay", Relay(self.database, self.bus).run)

    @property
    def verifier(self) -> TokenVerifier:
        if self._verifier is None:
            self._verifier = TokenVerifier(AuthKeys(self._peers.auth()))
        return self._verifier

    @property
    def waiting_for(self) -> list[str]:
        """What is not ready, by name; empty when all is well."""
        return ["shutdown"] if self._stopping.is_set() else self._readiness.waiting_for

    @property
    def starting_on(self) -> list[str]:
        """What a start still waits for: the above, and peers that were not there yet, without whom it is ready."""
        return self.waiting_for or self._peers.unreached

    def use_verifier(self, verifier: TokenVerifier) -> None:
        """For auth, which knows its keys without asking."""
        self._verifier = verifier

    def peer(
        self, name: str, *services: ServiceDescriptor, timeout_seconds: float = 2.0, max_in_flight: int = 256
    ) -> Peer:
        """The peer called `name`, opened once; `services` tells which of its methods are reads, and so retried."""
        return self._peers.open(name, list(services), timeout_seconds, max_in_flight)

    def add_servicer(self, add_to_server: AddToServer, servicer: object) -> None:
        self._parts.servicers.append((add_to_server, servicer))

    def add_task(self, name: str, run: Step) -> None:
        """`run` goes on until it is cancelled at the end; should it fail, the process ends and is started anew."""
        self._parts.tasks.append((name, run))

    def add_work(self, name: str, run: Step) -> None:
        """A task for the whole mesh, whichever replica does it: a preview (`consumers_paused`) leaves it alone."""
        if self.settings.consumers_paused:
            log.info("paused", task=name)
        else:
            self.add_task(name, run)

    def add_consumer(self, consumer: Consumer[Any]) -> None:
        database, bus = self.database, self.bus
        self.add_work(f"consumer {consumer.name}", lambda: consumer.run(database, bus))

    def add_check(self, name: str, check: Step) -> None:
        """Ready only while `check` does not raise."""
        self._readiness.checks[name] = check

    def on_drain(self, step: Step) -> None:
        """Called before all else at the end, while every part still works: finish what came in, take nothing new."""
        self._parts.drains.append(step)

    def on_stop(self, step: Step) -> None:
        """Called after the last request and task, latest added first: flush, then close."""
        self._parts.stops.append(step)

    def stop(self) -> None:
        self._stopping.set()

    async def begin(self) -> bool:
        """Open the operators' port, then wait for the migrations that the code needs; false where stopped before."""
        if self.settings.ops_bind:
            self._ops = OpsServer(self.settings.ops_bind, lambda: self.waiting_for, lambda: self.starting_on)
            self._ops.start()
        if self.settings.database_url is not None:
            self._readiness.waiting_for = ["schema"]
            await wait_until_migrated(self.settings.database_url.get_secret_value(), self.name, self._stopping)
        return not self._stopping.is_set()

    async def run(self, on_stopping: Callable[[], None] | None = None) -> bool:
        """Serve until stopped, of which `on_stopping` is told; true where nothing failed."""
        server: RpcServer | None = None
        if self._bus is not None:
            await self._bus.connect()
        if self._parts.servicers:
            server = RpcServer(self.settings.grpc_bind, self.verifier, tls=self._tls)
            for add_to_server, servicer in self._parts.servicers:
                server.add_servicer(add_to_server, servicer)
            await server.set_serving(False)
            await server.start()
            self.on_drain(partial(server.stop, self.settings.shutdown_seconds))
        tasks = [asyncio.create_task(self._guarded(name, run), name=name) for name, run in self._parts.tasks]
        reaching = asyncio.create_task(self._peers.reach())
        # From the first readiness on it answers, were it only that something is away, and for how long.
        readiness = asyncio.create_task(self._readiness.watch(partial(server.set_serving, True) if server else None))
        await self._stopping.wait()
        log.info("stopping")
        if on_stopping is not None:
            on_stopping()
        await end(readiness, reaching)
        await asyncio.gather(*(step() for step in self._parts.drains))
        await end(*tasks)
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._close()
        if self._ops is not None:
            await asyncio.to_thread(self._ops.stop)
        return not self._failed

    async def _guarded(self, name: str, run: Step) -> None:
        try:
            await run()
        except asyncio.CancelledError:
            raise
        except BaseException:
            log.exception("task failed", task=name)
            self._failed = True
            self._stopping.set()
            raise

    async def _close(self) -> None:
        for step in reversed(self._parts.stops):
            await step()
        await self._peers.close()
        if self._bus is not None:
            await self._bus.close()
        if self._database is not None:
            await self._database.close()
        shutdown_tracing()


Wire = Callable[[Service[SettingsT]], Awaitable[None]]
# With the arguments behind its name; the answer is the exit status.
Command = Callable[[SettingsT, Sequence[str]], Coroutine[Any, Any, int]]


def serve(
    name: str,
    settings_type: type[SettingsT],
    wire: Wire[SettingsT],
    *,
    wire_worker: Wire[SettingsT] | None = None,
    commands: Mapping[str, Command[SettingsT]] = MappingProxyType({}),
) -> None:
    """The entry point of `python -m quantmesh.<name> [migrate | worker | ...]`; ends the process.

    `commands` are the service's own.
    """
    command, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("serve", [])
    if command == "migrate":
        return _migrate(name)
    wires = {"serve": wire} if wire_worker is None else {"serve": wire, "worker": wire_worker}
    known = ["migrate", *wires, *commands]
    if command not in known:
        sys.exit(f"{name}: unknown command {command!r}; it is one of {', '.join(known)}.")
    settings = load_or_exit(name, settings_type, os.environ)
    if command in commands:
        sys.exit(asyncio.run(commands[command](settings, arguments)))
    _tell_of_itself(name, command, settings)
    configure_tracing(
        f"quantmesh-{name}",
        endpoint=settings.otlp_endpoint,
        environment=settings.environment,
        sample_ratio=settings.trace_sample_ratio,
    )
    try:
        service = Service(name, settings)
    except UnusableCertificate as error:
        sys.exit(f"{name}: QUANTMESH_TLS_FOLDER: {error}")
    sys.exit(0 if uvloop.run(_run(service, wires[command])) else 1)


def _migrate(name: str) -> None:
    # Whoever migrates is given the address of the database, and nothing of the service's own settings and secrets.
    settings = load_or_exit(name, ServiceSettings, os.environ)
    _tell_of_itself(name, "migrate", settings)
    if settings.migration_url is None:
        sys.exit(str(MissingSettingError(name, "QUANTMESH_MIGRATION_URL")))
    from quantmesh.chassis.migration import run_migrations

    run_migrations(name, settings.migration_url.get_secret_value())


def _tell_of_itself(name: str, command: str, settings: ServiceSettings) -> None:
    program = name if command == "serve" else f"{name}-{command}"
    configure_logs(program, settings.log_level, forwards_of(name, program, settings))
    show_build(program, settings.revision)


async def _run(service: Service[SettingsT], wire: Wire[SettingsT]) -> bool:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stop)
    if not await service.begin():
        return True
    await wire(service)
    # What was loaded stays: it is not looked through again and again for garbage.
    gc.freeze()
    return await service.run(lambda: end_process_within(_BOUND * service.settings.shutdown_seconds))
