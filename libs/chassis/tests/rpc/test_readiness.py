"""When a service is ready, and when its clients may call it."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from quantmesh.api.common.v1 import job_pb2_grpc
from quantmesh.chassis.identity import TokenVerifier
from quantmesh.chassis.rpc import open_channel
from quantmesh.chassis.rpc.server import RpcServer
from quantmesh.chassis.rpc.tls import UnusableCertificate
from quantmesh.chassis.service import Service
from quantmesh.chassis.settings import ServiceSettings
from quantmesh.local.network import free_port

from .replicas import NoKeys, Replica


class Servers:
    """Those that are away fail their check."""

    def __init__(self, service: Service[ServiceSettings], *names: str) -> None:
        self.away = set(names)
        self._service = service
        for name in names:
            service.add_check(name, partial(self._check, name))

    async def _check(self, name: str) -> None:
        if name in self.away:
            raise OSError(name)

    async def waited_for(self, *names: str) -> None:
        async with asyncio.timeout(30):
            while self._service.waiting_for != [*names]:  # noqa: ASYNC110  readiness has no event
                await asyncio.sleep(0.01)


async def test_clients_may_call_from_the_first_readiness_on_and_a_broker_is_needed_for_that_alone() -> None:
    address = f"127.0.0.1:{free_port()}"
    service = Service("ledger", ServiceSettings(grpc_bind=address))
    service.use_verifier(TokenVerifier(NoKeys()))
    service.add_servicer(job_pb2_grpc.add_JobServiceServicer_to_server, Replica("a"))
    servers = Servers(service, "postgres", "nats")
    running = asyncio.create_task(service.run())
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = HealthStub(channel)  # its types leave the methods out

        async def health() -> int:
            answer: HealthCheckResponse = await stub.Check(HealthCheckRequest(), wait_for_ready=True, timeout=30)
            return answer.status

        await servers.waited_for("postgres", "nats")
        assert await health() == HealthCheckResponse.NOT_SERVING
        servers.away = {"nats"}
        await servers.waited_for("nats")
        assert await health() == HealthCheckResponse.NOT_SERVING
        servers.away = set()
        await servers.waited_for()
        assert await health() == HealthCheckResponse.SERVING
        servers.away = {"postgres", "nats"}
        await servers.waited_for("postgres")
        # It tells its callers what is away; orders, for one, need no broker.
        assert await health() == HealthCheckResponse.SERVING
        service.stop()
        assert service.waiting_for == ["shutdown"]
    assert await running


async def test_a_service_is_ready_without_its_peers_and_started_once_each_has_been_there() -> None:
    market = f"127.0.0.1:{free_port()}"
    service = Service("ledger", ServiceSettings(targets={"market": market, "auth": market}))
    peer = service.peer("market")
    servers = Servers(service, "postgres")
    running = asyncio.create_task(service.run())
    await servers.waited_for("postgres")
    assert service.starting_on == ["postgres"]
    servers.away = set()
    await servers.waited_for()
    assert service.starting_on == ["auth", "market"]
    server = RpcServer(market, TokenVerifier(NoKeys()))
    server.add_servicer(job_pb2_grpc.add_JobServiceServicer_to_server, Replica("a"))
    await server.set_serving(False)
    await server.start()
    await asyncio.sleep(0.5)
    assert service.starting_on == ["auth", "market"], "it does not serve yet"
    await server.set_serving(True)
    async with asyncio.timeout(30):
        while service.starting_on:  # noqa: ASYNC110  readiness has no event
            await asyncio.sleep(0.01)
    assert peer.is_connected()
    await server.stop(0)
    assert service.starting_on == [], "a start is over once"
    service.stop()
    assert await running


def test_a_folder_without_certificates_keeps_a_service_from_starting(tmp_path: Path) -> None:
    with pytest.raises(UnusableCertificate, match=r"tls\.crt cannot be read"):
        Service("ledger", ServiceSettings(tls_folder=str(tmp_path)))


async def test_a_channel_does_not_wait_with_another_one_that_found_nobody() -> None:
    address = f"127.0.0.1:{free_port()}"
    async with open_channel(address, []) as early:
        early.get_state(try_to_connect=True)
        async with asyncio.timeout(30):
            while early.get_state() is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                await early.wait_for_state_change(early.get_state())
        # By now it waits the longest before it tries again.
        await asyncio.sleep(0.9)
        server = RpcServer(address, TokenVerifier(NoKeys()))
        await server.start()
        await server.set_serving(True)
        try:
            async with open_channel(address, []) as late:
                health: Any = HealthStub(late)
                answer = await health.Check(HealthCheckRequest(), timeout=30)
        finally:
            await server.stop(0)
        assert answer.status == HealthCheckResponse.SERVING
