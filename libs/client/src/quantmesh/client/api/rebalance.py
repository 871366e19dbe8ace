"""/portfolios/{id}/rebalance: target weights become orders."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from quantmesh.client.encoding import given
from quantmesh.client.models.rebalance import Basket, BasketOrder, RebalancePlan
from quantmesh.client.transport import Transport


class Rebalance:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def plan(
        self,
        portfolio_id: str,
        target_weights: Mapping[str, float],
        *,
        cash_buffer: Decimal | None = None,
        minimum_trade: Decimal | None = None,
        maximum_realized_gain: Decimal | None = None,
    ) -> RebalancePlan:
        """What an optimisation answers as `weights` will do. Nothing is recorded."""
        body = {
            "target_weights": target_weights,
            "tax_aware": maximum_realized_gain is not None,
            **given(cash_buffer=cash_buffer, minimum_trade=minimum_trade, maximum_realized_gain=maximum_realized_gain),
        }
        return self._transport.call("POST", f"/portfolios/{portfolio_id}/rebalance", RebalancePlan, json=body)

    def execute(self, portfolio_id: str, trades: Sequence[BasketOrder]) -> Basket:
        """All of them are filled, or none is placed."""
        orders = [{"symbol": each.symbol, "side": each.side, "quantity": each.quantity} for each in trades]
        path, body = f"/portfolios/{portfolio_id}/rebalance/execute", {"orders": orders}
        return self._transport.call("POST", path, Basket, json=body, idempotent=True)
