"""The account's state at one number of its log (NEW-7)."""

from collections import defaultdict
from decimal import Decimal

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.decimals import from_proto, to_proto
from quantmesh.chassis.identity import current_caller, requires
from quantmesh.portfolio.adapters import translate, translate_orders
from quantmesh.portfolio.adapters.rpc.base import Context, Methods, portfolio_id_of
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.core.posting_rules import CASH, SECURITIES


class SnapshotMethods(Methods):
    @requires("portfolio:read")
    async def GetSnapshot(self, request: pb.GetSnapshotRequest, context: Context) -> pb.GetSnapshotResponse:
        owner_id = current_caller().user_id
        # What commits between the reads is in none of them.
        async with self._database.snapshot(owner_id) as session:
            store = Store(session, owner_id)
            portfolio = await store.portfolio(portfolio_id_of(request.portfolio_id))
            balances = await store.balances(portfolio.id)
            open_orders = [translate_orders.order(order) for order in await store.open_orders(portfolio.id)]
        reserved: dict[str, Decimal] = defaultdict(Decimal)
        for order in open_orders:
            if order.HasField("reserved"):
                reserved[order.reserved.commodity] += from_proto(order.reserved.amount, "reserved")
        return pb.GetSnapshotResponse(
            portfolio_id=str(portfolio.id),
            seq=portfolio.seq,
            cash=[
                translate.money(amount, commodity)
                for (account, commodity), amount in balances.items()
                if account == CASH
            ],
            positions=[
                pb.SnapshotPosition(symbol=commodity, quantity=to_proto(amount))
                for (account, commodity), amount in balances.items()
                if account == SECURITIES
            ],
            reserved=[
                pb.Reservation(commodity=commodity, amount=to_proto(amount)) for commodity, amount in reserved.items()
            ],
            open_orders=open_orders,
        )
