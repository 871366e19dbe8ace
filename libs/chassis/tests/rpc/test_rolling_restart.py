"""Two processes of one service are restarted one after the other under load, over mutual TLS: no call fails."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from quantmesh.chassis.rpc.tls import TlsFolder
from quantmesh.local.network import free_port, http_status

from .certificates import Authority
from .replicas import HOST, Caller, naming

PROGRAM = """
import asyncio, sys
from quantmesh.api.common.v1 import job_pb2, job_pb2_grpc
from quantmesh.chassis.identity import TokenVerifier, public
from quantmesh.chassis.service import serve
from quantmesh.chassis.settings import ServiceSettings

name = sys.argv.pop()

class NoKeys:
    async def key(self, kid):
        return None

class Replica(job_pb2_grpc.JobServiceServicer):
    @public
    async def GetJob(self, request, context):
        return job_pb2.GetJobResponse()

    @public
    async def CancelJob(self, request, context):
        await asyncio.sleep(float(request.id))
        return job_pb2.CancelJobResponse(job=job_pb2.Job(id=name))

async def wire(service):
    service.use_verifier(TokenVerifier(NoKeys()))
    service.add_servicer(job_pb2_grpc.add_JobServiceServicer_to_server, Replica())

serve("ledger", ServiceSettings, wire)
"""


class Process:
    """Replicas of one address, one at a time."""

    def __init__(self, address: str, tls_folder: Path) -> None:
        self._ops_port = free_port()
        self._environ = os.environ | {
            "QUANTMESH_GRPC_BIND": address,
            "QUANTMESH_OPS_BIND": f"127.0.0.1:{self._ops_port}",
            "QUANTMESH_TLS_FOLDER": str(tls_folder),
        }
        self._running: asyncio.subprocess.Process | None = None

    async def start(self, name: str) -> None:
        self._running = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, name, env=self._environ, stdout=asyncio.subprocess.DEVNULL
        )
        await self._sees(HTTPStatus.OK)

    async def stop(self) -> int:
        """SIGTERM; how the process ended, once it had said that it is not ready."""
        assert self._running is not None
        self._running.send_signal(signal.SIGTERM)
        await self._sees(HTTPStatus.SERVICE_UNAVAILABLE)
        return await self._running.wait()

    async def kill(self) -> None:
        if self._running is not None and self._running.returncode is None:
            self._running.kill()
            await self._running.wait()

    async def _sees(self, status: HTTPStatus) -> None:
        async with asyncio.timeout(60):
            while await asyncio.to_thread(http_status, self._ops_port, "/readyz") != status:  # noqa: ASYNC110  another process
                await asyncio.sleep(0.01)


@asynccontextmanager
async def two_processes(port: int, tls_folder: Path) -> AsyncIterator[tuple[Process, Process]]:
    first, second = Process(f"127.0.0.1:{port}", tls_folder), Process(f"127.0.0.2:{port}", tls_folder)
    try:
        await asyncio.gather(first.start("a"), second.start("b"))
        yield first, second
    finally:
        await asyncio.gather(first.kill(), second.kill())


async def test_a_rolling_restart_under_200_calls_a_second_fails_none(tmp_path: Path) -> None:
    authority = Authority()
    authority.mount(tmp_path / "server", HOST)
    authority.mount(tmp_path / "client", "portfolio")
    port = free_port()
    async with (
        two_processes(port, tmp_path / "server") as replicas,
        naming("127.0.0.1", "127.0.0.2") as names,
        Caller(names.target(port), TlsFolder(tmp_path / "client")) as caller,
        caller.asking(200),
    ):
        await caller.answered("a")
        await caller.answered("b")
        for replica, name in zip(replicas, ("new a", "new b"), strict=True):
            # Some of these are in flight in the one that ends, which says meanwhile that it is not ready.
            slow = [asyncio.create_task(caller.ask(2.0)) for _ in range(6)]
            await asyncio.sleep(0.1)
            assert await replica.stop() == 0
            await asyncio.gather(*slow)
            await replica.start(name)
            await caller.answered(name)
    assert caller.failures == []
