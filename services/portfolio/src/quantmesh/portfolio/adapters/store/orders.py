"""Orders and the events that tell of them."""

from uuid import UUID

from sqlalchemy import Row, text

from quantmesh.portfolio.adapters.events import order_message, order_subject
from quantmesh.portfolio.adapters.store import rows
from quantmesh.portfolio.adapters.store.log import LogStore
from quantmesh.portfolio.core.account_log import AccountEvent
from quantmesh.portfolio.core.errors import OrderIdTaken, OrderNotFound
from quantmesh.portfolio.core.order_states import OPEN
from quantmesh.portfolio.core.orders import Order, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce

_ADD = text(
    """
    INSERT INTO placed_order SELECT * FROM json_populate_recordset(NULL::placed_order, CAST(:orders AS json))
    ON CONFLICT (portfolio_id, client_order_id) DO NOTHING
    RETURNING id
    """
)
_SAVE = text(
    """
    UPDATE placed_order SET status = :status, version = :version
    WHERE portfolio_id = :portfolio_id AND id = :id
    """
)
_OF_LIVE_PORTFOLIO = """
    SELECT o.* FROM placed_order AS o
    JOIN portfolio ON portfolio.id = o.portfolio_id AND portfolio.deleted_at IS NULL
"""
_FIND = text(f"{_OF_LIVE_PORTFOLIO} WHERE o.id = :id")
_LIST = text(
    f"""
    {_OF_LIVE_PORTFOLIO}
    WHERE (CAST(:portfolio_id AS uuid) IS NULL OR o.portfolio_id = :portfolio_id)
      AND (CAST(:status AS text) IS NULL OR o.status = :status)
      AND (CAST(:before AS uuid) IS NULL OR o.id < :before)
    ORDER BY o.id DESC
    LIMIT :limit
    """
)


_OPEN = text(
    "SELECT * FROM placed_order WHERE portfolio_id = :portfolio_id AND status = ANY(CAST(:open AS text[])) ORDER BY id"
)


class OrderStore(LogStore):
    async def add_order(self, order: Order) -> None:
        added = await self._session.execute(_ADD, {"orders": rows.dump([_row(order, self._owner_id)])})
        if added.one_or_none() is None:
            raise OrderIdTaken(order.request.client_order_id)

    async def save_order(self, order: Order) -> None:
        await self._session.execute(
            _SAVE,
            {"portfolio_id": order.portfolio_id, "id": order.id, "status": order.status, "version": order.version},
        )

    async def order(self, order_id: UUID) -> Order:
        found = (await self._session.execute(_FIND, {"id": order_id})).one_or_none()
        if found is None:
            raise OrderNotFound(order_id)
        return _order(found)

    async def orders(
        self, portfolio_id: UUID | None, status: OrderStatus | None, before: UUID | None, limit: int
    ) -> list[Order]:
        """Newest first; of all the owner's portfolios where none is named."""
        found = await self._session.execute(
            _LIST, {"portfolio_id": portfolio_id, "status": status, "before": before, "limit": limit}
        )
        return [_order(row) for row in found]

    async def open_orders(self, portfolio_id: UUID) -> list[Order]:
        """In order of acceptance."""
        found = await self._session.execute(_OPEN, {"portfolio_id": portfolio_id, "open": sorted(OPEN)})
        return [_order(row) for row in found]

    async def log(self, order: Order, event: AccountEvent) -> None:
        await self.tell(event, order_subject(order), order_message(order, event))


def _row(order: Order, owner_id: UUID) -> rows.Row:
    request = order.request
    return {
        "portfolio_id": order.portfolio_id,
        "id": order.id,
        "owner_id": owner_id,
        "client_order_id": request.client_order_id,
        "symbol": request.symbol,
        "side": request.side,
        "type": request.type,
        "quantity": request.quantity,
        "time_in_force": request.time_in_force,
        "status": order.status,
        "filled_quantity": order.filled_quantity,
        "average_fill_price": order.average_fill_price,
        "fee": order.fee,
        "currency": order.currency,
        "created_at": order.created_at,
        "accepted_at": order.accepted_at,
        "executed_at": order.executed_at,
        "transaction_id": order.transaction_id,
        "reason": order.reason,
        "version": order.version,
    }


def _order(row: Row[tuple[object, ...]]) -> Order:
    request = OrderRequest(
        symbol=row.symbol,
        side=OrderSide(row.side),
        type=OrderType(row.type),
        quantity=row.quantity,
        time_in_force=TimeInForce(row.time_in_force),
        client_order_id=row.client_order_id,
    )
    return Order(
        id=row.id,
        portfolio_id=row.portfolio_id,
        request=request,
        currency=row.currency,
        created_at=row.created_at,
        status=OrderStatus(row.status),
        filled_quantity=row.filled_quantity,
        average_fill_price=row.average_fill_price,
        fee=row.fee,
        accepted_at=row.accepted_at,
        executed_at=row.executed_at,
        transaction_id=row.transaction_id,
        reason=row.reason,
        version=row.version,
    )
