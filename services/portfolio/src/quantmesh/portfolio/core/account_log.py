"""The account's log: what happened in a portfolio, each event with the next number, as the API shows it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.portfolio.core.currency import display_cash
from quantmesh.portfolio.core.model import Entry, Transaction
from quantmesh.portfolio.core.numbers import plain
from quantmesh.portfolio.core.order_states import OrderStep
from quantmesh.portfolio.core.orders import Fill, Order
from quantmesh.portfolio.core.times import rfc3339
from quantmesh.portfolio.core.told import id_text, lots_told, option_told

TRANSACTION_RECORDED = "transaction.recorded"
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """`time` is market time; `data` a JSON object."""

    portfolio_id: UUID
    seq: int
    type: str
    time: datetime
    recorded_at: datetime
    data: str


def transaction_recorded(transaction: Transaction, to_json: Callable[[object], str]) -> AccountEvent:
    return AccountEvent(
        portfolio_id=transaction.portfolio_id,
        seq=transaction.seq,
        type=TRANSACTION_RECORDED,
        time=transaction.entry.input.executed_at,
        recorded_at=transaction.recorded_at,
        data=to_json(transaction_members(transaction.portfolio_id, transaction.entry, transaction)),
    )


def transaction_members(portfolio_id: UUID, entry: Entry, recorded: Transaction | None) -> dict[str, object]:
    """A transaction as the API shows it; `recorded` is None for what a dry run would record."""
    asked, currency = entry.input, entry.currency
    return {
        "id": None if recorded is None else id_text(recorded.id),
        "portfolio_id": id_text(portfolio_id),
        "type": asked.type.value,
        "symbol": asked.symbol or None,
        "quantity": _plain(asked.quantity),
        "price": _plain(asked.price),
        "amount": _cash(asked.amount, currency),
        "fee": _cash(asked.fee, currency),
        "split_ratio": _plain(asked.split_ratio),
        "currency": currency,
        "cash_effect": {"amount": _cash(entry.cash_effect, currency), "currency": currency},
        "note": asked.note or None,
        "side": asked.side,
        "lots": lots_told(asked.lots),
        "option": None if asked.option is None else option_told(asked.option),
        "executed_at": rfc3339(asked.executed_at),
        "recorded_at": None if recorded is None else rfc3339(recorded.recorded_at),
        "order_id": None if recorded is None else _text(recorded.order_id),
        "import_id": None if recorded is None else _text(recorded.import_id),
        "reverses": None if recorded is None else _text(recorded.reverses),
        "reversed_by": None if recorded is None else _text(recorded.reversed_by),
    }


def order_event(
    order: Order, step: OrderStep, seq: int, time: datetime, recorded_at: datetime, fill: Fill | None = None
) -> AccountEvent:
    """ "order.<step>", with the order after it."""
    request, currency = order.request, order.currency
    return AccountEvent(
        portfolio_id=order.portfolio_id,
        seq=seq,
        type=f"order.{step}",
        time=time,
        recorded_at=recorded_at,
        data=_json(
            {
                "id": str(order.id),
                "portfolio_id": str(order.portfolio_id),
                "client_order_id": request.client_order_id,
                "symbol": request.symbol,
                "side": request.side.value,
                "type": request.type.value,
                "quantity": plain(request.quantity),
                "limit_price": _plain(request.limit_price),
                "stop_price": _plain(request.stop_price),
                "time_in_force": request.time_in_force.value,
                "status": order.status,
                "filled_quantity": plain(order.filled_quantity),
                "average_fill_price": _plain(order.average_fill_price),
                "fee": _cash(order.fee, currency),
                "currency": currency,
                "accepted_at": _instant(order.accepted_at),
                "expires_at": _instant(order.expires_at),
                "triggered_at": _instant(order.triggered_at),
                "executed_at": _instant(order.executed_at),
                "transaction_id": _text(order.transaction_id),
                "reason": order.reason or None,
                "version": order.version,
                "basket_id": _text(order.basket_id),
                "fill": None if fill is None else _fill_members(fill, currency),
            }
        ),
    )


def _fill_members(fill: Fill, currency: str) -> dict[str, object]:
    return {
        "transaction_id": str(fill.transaction_id),
        "quantity": plain(fill.quantity),
        "price": plain(fill.price),
        "fee": _cash(fill.fee, currency),
        "executed_at": rfc3339(fill.executed_at),
    }


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _cash(value: Decimal | None, currency: str) -> str | None:
    return None if value is None else f"{display_cash(value, currency):f}"


def _instant(value: datetime | None) -> str | None:
    return None if value is None else rfc3339(value)


def _text(value: UUID | None) -> str | None:
    return None if value is None else id_text(value)
