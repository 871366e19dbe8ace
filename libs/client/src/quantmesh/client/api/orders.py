"""/orders and /trade: what is to be bought and sold."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from quantmesh.client.encoding import given
from quantmesh.client.models.base import Page
from quantmesh.client.models.orders import Order, OrderPreview
from quantmesh.client.transport import Transport


@dataclass(frozen=True, kw_only=True)
class NewOrder:
    """The type follows from the prices: without any a market order. `client_order_id` is yours, once for ever."""

    portfolio_id: str
    symbol: str
    side: str
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: str = "day"
    client_order_id: str | None = None

    @property
    def type(self) -> str:
        given = [name for name, price in (("stop", self.stop_price), ("limit", self.limit_price)) if price is not None]
        return "_".join(given) or "market"


class Orders:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def place(self, order: NewOrder) -> Order:
        return self._transport.call("POST", "/orders", Order, json=_body(order), idempotent=True)

    def preview(self, order: NewOrder) -> OrderPreview:
        """What placing it now would do; nothing is placed."""
        query = {"dry_run": True}
        return self._transport.call("POST", "/orders", OrderPreview, json=_body(order), query=query, idempotent=True)

    def trade(
        self, portfolio_id: str, symbol: str, side: str, quantity: Decimal, *, client_order_id: str | None = None
    ) -> Order:
        """A market order, filled now or not at all."""
        body = {
            "portfolio_id": portfolio_id,
            "symbol": symbol,
            "side": side,
            "quantity": quantity,
            **given(client_order_id=client_order_id),
        }
        return self._transport.call("POST", "/trade/execute", Order, json=body, idempotent=True)

    def get(self, order_id: str) -> Order:
        return self._transport.call("GET", f"/orders/{order_id}", Order)

    def all(
        self,
        portfolio_id: str | None = None,
        *,
        status: str | None = None,
        symbol: str | None = None,
        side: str | None = None,
        client_order_id: str | None = None,
    ) -> Iterator[Order]:
        """The newest first; `status` "open" is for all that may still fill."""
        query = {
            "portfolio_id": portfolio_id,
            "status": status,
            "symbol": symbol,
            "side": side,
            "client_order_id": client_order_id,
        }
        return self._transport.pages("/orders", Page[Order], query)

    def replace(
        self,
        order: Order,
        *,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
    ) -> Order:
        """Refused where the order is not any more as `order` shows it."""
        changes = given(quantity=quantity, limit_price=limit_price, stop_price=stop_price)
        return self._transport.call("PATCH", f"/orders/{order.id}", Order, json=changes, if_match=order.version)

    def cancel(self, order_id: str, *, if_version: int | None = None) -> Order:
        return self._transport.call("DELETE", f"/orders/{order_id}", Order, if_match=if_version)


def _body(order: NewOrder) -> dict[str, Any]:
    return given(**asdict(order), type=order.type)
