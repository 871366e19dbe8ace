"""Orders, what they reserve, and the events that tell of them."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.sql import Asked, Row, text
from quantmesh.portfolio.adapters.events import order_message
from quantmesh.portfolio.adapters.store import rows
from quantmesh.portfolio.adapters.store.log import LOGGED, LogStore
from quantmesh.portfolio.core.account_log import AccountEvent
from quantmesh.portfolio.core.admission import Holding
from quantmesh.portfolio.core.order_errors import OrderNotFound
from quantmesh.portfolio.core.order_states import OPEN, OrderStatus, OrderStep
from quantmesh.portfolio.core.orders import FIRST_VERSION, Fill, Order, OrderRequest, OrderSide, OrderType, TimeInForce

# An order's step, the event of the log that it is, and the message that tells of it.
_ADD = text(
    f"""
    WITH taken AS (
        INSERT INTO placed_order SELECT * FROM json_populate_record(NULL::placed_order, CAST(:order AS json))
    ), {LOGGED}
    SELECT 1
    """  # noqa: S608  the parts are our own
)
_CHANGING = (
    "quantity, limit_price, stop_price, status, filled_quantity, notional, average_fill_price, fee, reserved,"
    " priority_at, priced_at, triggered_at, executed_at, transaction_id, reason, version"
)
_SAVE = text(
    f"""
    WITH taken AS (
        UPDATE placed_order SET ({_CHANGING}) = (
            SELECT {_CHANGING} FROM json_populate_record(NULL::placed_order, CAST(:order AS json))
        )
        WHERE portfolio_id = :portfolio_id AND id = :id
    ), {LOGGED}
    SELECT 1
    """  # noqa: S608  our own column names
)
_ID_TAKEN = text(
    "SELECT EXISTS (SELECT FROM placed_order WHERE portfolio_id = :portfolio_id AND client_order_id = :client_order_id)"
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
      AND (CAST(:statuses AS text[]) IS NULL OR o.status = ANY(:statuses))
      AND (:symbol = '' OR o.symbol = :symbol)
      AND (CAST(:side AS text) IS NULL OR o.side = :side)
      AND (:client_order_id = '' OR o.client_order_id = :client_order_id)
      AND (CAST(:before AS uuid) IS NULL OR o.id < :before)
    ORDER BY o.id DESC
    LIMIT :limit
    """
)
_FILLS = text(
    """
    SELECT id, quantity, price, fee, executed_at FROM transaction
    WHERE portfolio_id = :portfolio_id AND order_id = :order_id
    ORDER BY executed_at, seq
    """
)
_RESERVE = text(
    """
    UPDATE holding SET reserved = reserved + :more
    WHERE portfolio_id = :portfolio_id AND account = :account AND commodity = :commodity
    RETURNING reserved
    """
)
# Of what was never held: somebody who may owe goes short, or buys on margin without any cash.
_RESERVE_FIRST = text(
    """
    INSERT INTO holding (portfolio_id, account, commodity, owner_id, amount, reserved)
    VALUES (:portfolio_id, :account, :commodity, :owner_id, 0, :more)
    """
)
_OPEN = text(
    """
    SELECT * FROM placed_order
    WHERE portfolio_id = :portfolio_id AND status = ANY(CAST(:open AS text[]))
      AND (CAST(:symbols AS text[]) = '{}' OR symbol = ANY(CAST(:symbols AS text[])))
    ORDER BY id
    """
)


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """What is None, or empty, does not restrict; `is_open` takes the place of `status`."""

    portfolio_id: UUID | None = None
    status: OrderStatus | None = None
    is_open: bool = False
    symbol: str = ""
    side: OrderSide | None = None
    client_order_id: str = ""


def taken_question(portfolio_id: UUID, client_order_id: str) -> Asked:
    return _ID_TAKEN, {"portfolio_id": portfolio_id, "client_order_id": client_order_id}


class OrderStore(LogStore):
    async def take_step(self, order: Order, step: OrderStep, event: AccountEvent, fill: Fill | None) -> None:
        place = {"portfolio_id": order.portfolio_id, "id": order.id} if order.version > FIRST_VERSION else {}
        await self.tell(
            event,
            f"portfolio.order.{step}",
            order_message(order, step, event, fill),
            within=_SAVE if place else _ADD,
            order=rows.dump(_row(order, self._owner_id)),
            **place,
        )

    async def order_id_taken(self, portfolio_id: UUID, client_order_id: str) -> bool:
        return bool(await self._session.scalar(*taken_question(portfolio_id, client_order_id)))

    async def order(self, order_id: UUID) -> Order:
        found = (await self._session.execute(_FIND, {"id": order_id})).one_or_none()
        if found is None:
            raise OrderNotFound(order_id)
        return _order(found)

    async def orders(self, wanted: OrderFilter, before: UUID | None, limit: int) -> list[Order]:
        """Newest first; of all the owner's portfolios where none is named."""
        statuses = sorted(OPEN) if wanted.is_open else None if wanted.status is None else [wanted.status]
        found = await self._session.execute(
            _LIST,
            {
                "portfolio_id": wanted.portfolio_id,
                "statuses": statuses,
                "symbol": wanted.symbol,
                "side": wanted.side,
                "client_order_id": wanted.client_order_id,
                "before": before,
                "limit": limit,
            },
        )
        return [_order(row) for row in found]

    async def fills(self, order: Order) -> list[Fill]:
        """In order of execution."""
        found = await self._session.execute(_FILLS, {"portfolio_id": order.portfolio_id, "order_id": order.id})
        return [Fill(*row) for row in found]

    async def reserve(self, portfolio_id: UUID, holding: Holding, more: Decimal) -> None:
        account, commodity = holding
        row = {"portfolio_id": portfolio_id, "account": account, "commodity": commodity, "more": more}
        changed = await self._session.execute(_RESERVE, row)
        if changed.one_or_none() is None:
            await self._session.execute(_RESERVE_FIRST, {**row, "owner_id": self._owner_id})

    async def open_orders(self, portfolio_id: UUID, symbols: Collection[str] = ()) -> list[Order]:
        """In order of acceptance; of all symbols where none is named."""
        wanted = {"portfolio_id": portfolio_id, "open": sorted(OPEN), "symbols": list(symbols)}
        found = await self._session.execute(_OPEN, wanted)
        return [_order(row) for row in found]


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
        "limit_price": request.limit_price,
        "stop_price": request.stop_price,
        "time_in_force": request.time_in_force,
        "status": order.status,
        "filled_quantity": order.filled_quantity,
        "notional": order.notional,
        "average_fill_price": order.average_fill_price,
        "fee": order.fee,
        "reserved": order.reserved,
        "currency": order.currency,
        "created_at": order.created_at,
        "accepted_at": order.accepted_at,
        "priority_at": order.priority_at,
        "priced_at": order.priced_at,
        "expires_at": order.expires_at,
        "triggered_at": order.triggered_at,
        "executed_at": order.executed_at,
        "transaction_id": order.transaction_id,
        "reason": order.reason,
        "version": order.version,
        "basket_id": order.basket_id,
    }


def _order(row: Row) -> Order:
    request = OrderRequest(
        symbol=row.symbol,
        side=OrderSide(row.side),
        type=OrderType(row.type),
        quantity=row.quantity,
        time_in_force=TimeInForce(row.time_in_force),
        client_order_id=row.client_order_id,
        limit_price=row.limit_price,
        stop_price=row.stop_price,
    )
    return Order(
        id=row.id,
        portfolio_id=row.portfolio_id,
        request=request,
        currency=row.currency,
        created_at=row.created_at,
        status=OrderStatus(row.status),
        filled_quantity=row.filled_quantity,
        notional=row.notional,
        fee=row.fee,
        reserved=row.reserved,
        accepted_at=row.accepted_at,
        priority_at=row.priority_at,
        priced_at=row.priced_at,
        expires_at=row.expires_at,
        triggered_at=row.triggered_at,
        executed_at=row.executed_at,
        transaction_id=row.transaction_id,
        reason=row.reason,
        version=row.version,
        basket_id=row.basket_id,
    )
