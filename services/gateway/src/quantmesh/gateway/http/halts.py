"""/halts: when trading stops, and who says so."""

from quantmesh.api.portfolio.v1 import halts_pb2 as pb
from quantmesh.api.portfolio.v1.halts_pb2_grpc import HaltServiceStub
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.http.answer import Answer, created, ok, replayed
from quantmesh.gateway.http.models import halts as models
from quantmesh.gateway.http.models.base import Id
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.http.route import QueryOf
from quantmesh.gateway.translation import halts as translation
from quantmesh.gateway.translation.common import next_cursor, page_request


class Halts:
    def __init__(self, portfolio: Peer) -> None:
        self._portfolio = portfolio
        self._stub = HaltServiceStub(portfolio.channel)

    def operations(self) -> Operations:
        operations = Operations("/api/v2/halts", "halts")
        operations.add(
            "GET",
            "",
            self.list_halts,
            summary="Halts, the newest first",
            scope="market:read",
            answer=models.HaltsShown,
        )
        operations.add(
            "POST",
            "",
            self.impose,
            summary="Halt an instrument or the whole market",
            scope="halts:manage",
            answer=models.HaltShown,
            status=201,
            statuses=(409,),
            idempotency="optional",
            takes_body=True,
        )
        operations.add(
            "DELETE",
            "/{halt_id}",
            self.lift,
            summary="Lift a halt",
            scope="halts:manage",
            answer=models.HaltShown,
            statuses=(409,),
        )
        return operations

    async def list_halts(self, query: QueryOf[models.HaltsQuery]) -> Answer:
        request = pb.ListHaltsRequest(
            page=page_request(query.limit, query.cursor), symbol=query.symbol or "", in_force=query.in_force
        )
        answer = await self._portfolio.call(self._stub.ListHalts, request)
        return ok({"data": [translation.halt(item) for item in answer.halts], "next_cursor": next_cursor(answer.page)})

    async def impose(self, body: models.HaltBody) -> Answer:
        request = pb.ImposeHaltRequest(kind=translation.KINDS[body.kind], symbol=body.symbol or "", cause=body.cause)
        answer, again = await self._portfolio.call_replayable(self._stub.ImposeHalt, request)
        return created(translation.halt(answer.halt), headers=replayed(again))

    async def lift(self, halt_id: Id) -> Answer:
        answer = await self._portfolio.call(self._stub.LiftHalt, pb.LiftHaltRequest(id=halt_id))
        return ok(translation.halt(answer.halt))
