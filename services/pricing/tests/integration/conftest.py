"""PricingService on a real Postgres, over a real channel."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import pyarrow as pa
import pytest

from quantmesh.api.common.v1.job_pb2_grpc import add_JobServiceServicer_to_server
from quantmesh.api.pricing.v1 import pricing_pb2 as pb
from quantmesh.api.pricing.v1.calibration_pb2_grpc import add_CalibrationServiceServicer_to_server
from quantmesh.api.pricing.v1.pricing_pb2_grpc import PricingServiceStub, add_PricingServiceServicer_to_server
from quantmesh.api.pricing.v1.simulation_pb2_grpc import add_SimulationServiceServicer_to_server
from quantmesh.api.pricing.v1.surface_pb2_grpc import add_SurfaceServiceServicer_to_server
from quantmesh.chassis.clock import SystemClock
from quantmesh.chassis.context import CallContext, Caller, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.identity import TokenVerifier
from quantmesh.chassis.jobs import JobRpc
from quantmesh.chassis.rpc import Peer, RpcServer, open_channel
from quantmesh.local.testing import NewDatabase
from quantmesh.pricing.adapters.batches import Batches
from quantmesh.pricing.adapters.quote_recorder import QuoteRecorder
from quantmesh.pricing.adapters.rpc import PricingRpc
from quantmesh.pricing.adapters.rpc_calibration import CalibrationRpc
from quantmesh.pricing.adapters.rpc_simulation import SimulationRpc
from quantmesh.pricing.adapters.rpc_surface import SurfaceRpc
from quantmesh.pricing.adapters.simulation_job import JOB_SCOPES
from quantmesh.pricing.adapters.store import QuoteStore
from quantmesh.quant.version import code_version

ADA = UUID("01930000-0000-7000-8000-00000000000a")
BOB = UUID("01930000-0000-7000-8000-00000000000b")


Request = TypeVar("Request")


class NamedCallers(TokenVerifier):
    """Takes a user's id for a token, so that a test needs no keys."""

    def __init__(self) -> None:
        pass

    async def verify(self, token: str, *, owner_id: str = "") -> Caller:
        return Caller(token, frozenset({"pricing:use"}), frozenset(), "", "", token, 0.0, UUID(token))


@dataclass
class Pricing:
    """The service as its clients see it."""

    peer: Peer
    stub: PricingServiceStub
    store: QuoteStore
    recorder: QuoteRecorder
    database: Database

    def act_as(self, user: UUID, key: str = "") -> None:
        """`key` is the idempotency key of the calls that follow."""
        caller = Caller(str(user), frozenset(), frozenset(), "", "", str(user), 0.0, user)
        set_call(CallContext(caller=caller, idempotency_key=key))

    async def price(self, volatility: float = 0.2, *, greeks: bool = True, **contract: Any) -> pb.PriceResponse:
        return await self.peer.call(self.stub.Price, price_request(volatility, greeks=greeks, **contract))

    async def batch(self, stream: bytes, *, piece: int = 1 << 20, greeks: bool = True) -> pa.Table:
        options = pb.BatchOptions(greeks=greeks)
        requests = [pb.PriceBatchRequest(options=options)]
        requests += [pb.PriceBatchRequest(arrow=part) for part in cut(stream, piece)]
        return read([answer.arrow async for answer in self.peer.stream(self.stub.PriceBatch, sent(requests))])

    async def imply(self, stream: bytes, *, piece: int = 1 << 20) -> pa.Table:
        requests = [pb.ImpliedVolatilityBatchRequest(arrow=part) for part in cut(stream, piece)]
        answers = self.peer.stream(self.stub.ImpliedVolatilityBatch, sent(requests))
        return read([answer.arrow async for answer in answers])


def price_request(volatility: float = 0.2, *, greeks: bool = True, **contract: Any) -> pb.PriceRequest:
    terms: dict[str, Any] = {
        "option_type": pb.OPTION_TYPE_CALL,
        "spot": 100.0,
        "strike": 100.0,
        "time_to_expiry": 1.0,
        "rate": 0.05,
        "dividend_yield": 0.0,
    }
    return pb.PriceRequest(contract=pb.Contract(**(terms | contract)), volatility=volatility, greeks=greeks)


async def sent(requests: Iterable[Request]) -> AsyncIterator[Request]:
    for request in requests:
        yield request


def cut(stream: bytes, piece: int) -> list[bytes]:
    return [stream[start : start + piece] for start in range(0, len(stream), piece)]


def read(pieces: list[bytes]) -> pa.Table:
    with pa.ipc.open_stream(b"".join(pieces)) as reader:
        return reader.read_all()


def written(columns: Mapping[str, Any], constants: dict[str, str] | None = None, rows: int = 65_536) -> bytes:
    """An Arrow IPC stream."""
    table = pa.table(dict(columns)).replace_schema_metadata(constants)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)
    stream: bytes = sink.getvalue().to_pybytes()
    return stream


@pytest.fixture
async def pricing(service_database: NewDatabase) -> AsyncIterator[Pricing]:
    database = Database(service_database("pricing").url, "pricing")
    store = QuoteStore(database)
    recorder = QuoteRecorder(store, SystemClock(), code_version())
    batches = Batches(threads=2)
    server = RpcServer("127.0.0.1:0", NamedCallers())
    server.add_servicer(add_PricingServiceServicer_to_server, PricingRpc(recorder, batches))
    server.add_servicer(add_CalibrationServiceServicer_to_server, CalibrationRpc())
    server.add_servicer(add_SurfaceServiceServicer_to_server, SurfaceRpc())
    server.add_servicer(add_SimulationServiceServicer_to_server, SimulationRpc(database))
    server.add_servicer(add_JobServiceServicer_to_server, JobRpc(database, JOB_SCOPES))
    await server.start()
    recording = asyncio.create_task(recorder.run())
    peer = Peer("pricing", open_channel(f"127.0.0.1:{server.port}", []), timeout_seconds=30.0)
    service = Pricing(peer, PricingServiceStub(peer.channel), store, recorder, database)
    service.act_as(ADA)
    yield service
    recording.cancel()
    await peer.close()
    await server.stop(0)
    batches.close()
    await database.close()
