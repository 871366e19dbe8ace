"""/orders and /trade: what is to be bought and sold."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal

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
        query = {"dry_run": "true"}
        return self._transport.call("POST", "/orders", OrderPreview, json=_body(order), query=query, idempotent=True)

    def trade(self, portfolio_id: str, symbol: str, side: str, quantity: Decimal) -> Order:
        """A market order, filled now or not at all."""
        body = {"portfolio_id": portfolio_id, "symbol": symbol, "side": side, "quantity": f"{quantity:f}"}
        return self._transport.call("POST", "/trade/execute", Order, json=body, idempotent=True)

    def get(self, order_id: str) -> Order:
        return self._transport.call("GET", f"/orders/{order_id}", Order)

    def all(
        self, portfolio_id: str | None = None, *, status: str | None = None, symbol: str | None = None
    ) -> Iterator[Order]:
        """The newest first; `status` "open" is for all that may still fill."""
        query: dict[str, str | None] = {"portfolio_id": portfolio_id, "status": status, "symbol": symbol}
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
        changes = {"quantity": quantity, "limit_price": limit_price, "stop_price": stop_price}
        path = f"/orders/{order.id}"
        return self._transport.call("PATCH", path, Order, json=_shown(changes), if_match=order.version)

    def cancel(self, order_id: str) -> Order:
        return self._transport.call("DELETE", f"/orders/{order_id}", Order)


def _body(order: NewOrder) -> dict[str, str]:
    return _shown({**asdict(order), "type": order.type})


def _shown(values: Mapping[str, str | Decimal | None]) -> dict[str, str]:
    given = {name: value for name, value in values.items() if value is not None}
    return {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in given.items()}
