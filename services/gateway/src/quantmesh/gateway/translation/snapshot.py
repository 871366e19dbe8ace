"""The state of an account as the API shows it."""

from typing import Any

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.gateway.translation.common import money
from quantmesh.gateway.translation.orders import order


def snapshot(answer: pb.GetSnapshotResponse) -> dict[str, Any]:
    return {
        "portfolio_id": answer.portfolio_id,
        "seq": answer.seq,
        "cash": [money(item) for item in answer.cash],
        "reserved": [{"commodity": item.commodity, "amount": item.amount.value} for item in answer.reserved],
        "positions": [{"symbol": item.symbol, "quantity": item.quantity.value} for item in answer.positions],
        "open_orders": [order(item) for item in answer.open_orders],
    }
