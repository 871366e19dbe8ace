"""Replicas of one service that answer with their name, and a name server that tells where they are."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from quantmesh.api.common.v1 import job_pb2, job_pb2_grpc
from quantmesh.chassis.errors import QuantmeshError
from quantmesh.chassis.identity import TokenVerifier, public
from quantmesh.chassis.rpc import Peer, RpcServer, open_channel
from quantmesh.chassis.rpc.tls import TlsFolder

HOST = "replicas.mesh.test"


class NoKeys:
    async def key(self, kid: str) -> Ed25519PublicKey | None:
        return None


class Replica(job_pb2_grpc.JobServiceServicer):
    """Asked to cancel a job it says who answered, and which certificate the client had; it takes `id` seconds."""

    def __init__(self, name: str) -> None:
        self.name = name

    @public
    async def GetJob(self, request: job_pb2.GetJobRequest, context: object) -> job_pb2.GetJobResponse:
        return job_pb2.GetJobResponse()

    @public
    async def CancelJob(self, request: job_pb2.CancelJobRequest, context: Any) -> job_pb2.CancelJobResponse:
        await asyncio.sleep(float(request.id or 0))
        certificate = b"".join(context.auth_context().get("x509_pem_cert", ()))
        return job_pb2.CancelJobResponse(job=job_pb2.Job(id=self.name, message=certificate.decode()))


@asynccontextmanager
async def serving(name: str, bind: str = "127.0.0.1:0", **options: Any) -> AsyncIterator[RpcServer]:
    server = RpcServer(bind, TokenVerifier(NoKeys()), **options)
    server.add_servicer(job_pb2_grpc.add_JobServiceServicer_to_server, Replica(name))
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


class Caller:
    """Calls a method that is never retried; counts who answered and keeps what went wrong."""

    def __init__(self, target: str, tls: TlsFolder | None = None) -> None:
        # A machine that stands still for a moment fails no call here.
        self._peer = Peer("replicas", open_channel(target, [], tls), timeout_seconds=30.0, max_in_flight=100_000)
        self._stub = job_pb2_grpc.JobServiceStub(self._peer.channel)
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []

    async def __aenter__(self) -> "Caller":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._peer.close()

    async def ask(self, seconds: float = 0.0) -> job_pb2.Job:
        answer = await self._peer.call(self._stub.CancelJob, job_pb2.CancelJobRequest(id=str(seconds)))
        self.answers[answer.job.id] += 1
        return answer.job

    @asynccontextmanager
    async def asking(self, per_second: float) -> AsyncIterator[None]:
        """Meanwhile calls begin at that rate, whether or not earlier ones have been answered."""
        stop = asyncio.Event()
        asking = asyncio.create_task(self._ask_often(per_second, stop))
        try:
            yield
        finally:
            stop.set()
            await asking

    async def answered(self, name: str, times: int = 20) -> None:
        """Wait until the replica `name` has answered so many more of them."""
        enough = self.answers[name] + times
        async with asyncio.timeout(60):
            while self.answers[name] < enough:  # noqa: ASYNC110  calls in the background count
                await asyncio.sleep(0.02)

    async def _ask_often(self, per_second: float, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        next_at = loop.time()
        async with asyncio.TaskGroup() as calls:
            while not stop.is_set():
                calls.create_task(self._try())
                next_at += 1 / per_second
                await asyncio.sleep(next_at - loop.time())

    async def _try(self) -> None:
        try:
            await self.ask(0.01)
        except QuantmeshError as error:
            self.failures.append(error.detail)


class NameServer(asyncio.DatagramProtocol):
    """Answers every question with `addresses`."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if query.question[0].rdtype == dns.rdatatype.A:
            answer.answer.append(dns.rrset.from_text(query.question[0].name, 5, "IN", "A", *self.addresses))
        self._transport.sendto(answer.to_wire(), addr)

    def target(self, port: int) -> str:
        name_server = self._transport.get_extra_info("sockname")[1]
        return f"dns://127.0.0.1:{name_server}/{HOST}:{port}"


@asynccontextmanager
async def naming(*addresses: str) -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, names = await loop.create_datagram_endpoint(lambda: NameServer(*addresses), local_addr=("127.0.0.1", 0))
    try:
        yield names
    finally:
        transport.close()
