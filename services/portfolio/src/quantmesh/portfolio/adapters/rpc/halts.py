"""Halts, as operators impose and lift them and everyone sees them."""

from uuid import UUID

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.portfolio.v1 import halts_pb2 as pb
from quantmesh.api.portfolio.v1.halts_pb2_grpc import HaltServiceServicer
from quantmesh.chassis import idempotency
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.database import Database
from quantmesh.chassis.identity import current_caller, requires
from quantmesh.chassis.ids import uuid7
from quantmesh.portfolio.adapters.rpc.base import Context, id_or_none, told_soon
from quantmesh.portfolio.adapters.store.halts import HaltStore
from quantmesh.portfolio.adapters.translate import chosen
from quantmesh.portfolio.adapters.translate_halts import HALT_KINDS, halt_to
from quantmesh.portfolio.core.errors import HaltNotFound, UnknownSymbol
from quantmesh.portfolio.core.halts.impose import impose_halt, lift_halt
from quantmesh.portfolio.core.halts.model import HaltRequest
from quantmesh.portfolio.core.pages import id_from_cursor, page_limit, page_of
from quantmesh.portfolio.core.ports import Market


class HaltRpc(HaltServiceServicer):
    """All methods of HaltService. A halt needs nobody: it works while the market is silent."""

    def __init__(self, database: Database, market: Market, clock: Clock) -> None:
        self._database = database
        self._market = market
        self._clock = clock

    @requires("market:read")
    async def ListHalts(self, request: pb.ListHaltsRequest, context: Context) -> pb.ListHaltsResponse:
        limit = page_limit(request.page.limit)
        before = id_from_cursor(request.page.cursor)
        async with self._database.system_transaction() as session:
            found = await HaltStore(session).page(request.symbol, before, limit + 1, in_force=request.in_force)
        shown, cursor = page_of(found, limit, lambda halt: [str(halt.id)])
        return pb.ListHaltsResponse(
            halts=[halt_to(halt) for halt in shown], page=common_pb2.PageInfo(next_cursor=cursor)
        )

    @requires("halts:manage")
    async def ImposeHalt(self, request: pb.ImposeHaltRequest, context: Context) -> pb.ImposeHaltResponse:
        asked = HaltRequest(chosen(HALT_KINDS, request.kind, "kind"), request.cause, request.symbol)
        if asked.symbol:
            known = await told_soon(self._market.assets([asked.symbol]))
            if known is not None and asked.symbol not in known:
                raise UnknownSymbol(asked.symbol, "symbol")
        user_id = current_caller().user_id

        async with self._database.transaction(user_id) as session:

            async def impose() -> pb.ImposeHaltResponse:
                halt = await impose_halt(HaltStore(session), asked, str(user_id), self._clock.now(), uuid7)
                return pb.ImposeHaltResponse(halt=halt_to(halt))

            return await idempotency.once(
                session,
                user_id,
                scope=request.DESCRIPTOR.name,
                request=request,
                answer=pb.ImposeHaltResponse,
                run=impose,
            )

    @requires("halts:manage")
    async def LiftHalt(self, request: pb.LiftHaltRequest, context: Context) -> pb.LiftHaltResponse:
        halt_id = id_or_none(request.id)
        if halt_id is None:
            raise HaltNotFound(request.id[:64])
        user_id: UUID = current_caller().user_id
        async with self._database.transaction(user_id) as session:
            halt = await lift_halt(HaltStore(session), halt_id, str(user_id), self._clock.now())
        return pb.LiftHaltResponse(halt=halt_to(halt))
