"""Portfolios, positions, the ledger and the account's log: JSON to messages and back."""

from typing import Any

import orjson

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.gateway.translation.common import (
    decimal,
    instant,
    inverse,
    money,
    optional_money,
)

LOT_METHODS = {
    "average": pb.LOT_METHOD_AVERAGE,
    "fifo": pb.LOT_METHOD_FIFO,
    "lifo": pb.LOT_METHOD_LIFO,
    "specific": pb.LOT_METHOD_SPECIFIC,
}
LOT_METHOD_NAMES = inverse(LOT_METHODS)


def portfolio(message: pb.Portfolio) -> dict[str, Any]:
    return {
        "id": message.id,
        "name": message.name,
        "base_currency": message.base_currency,
        "lot_method": LOT_METHOD_NAMES[message.lot_method],
        "margin_enabled": message.margin_enabled,
        "version": message.version,
        "created_at": instant(message, "created_at"),
    }


def position(message: pb.Position) -> dict[str, Any]:
    return {
        "symbol": message.symbol,
        "quantity": message.quantity.value,
        "average_cost": decimal(message, "average_cost"),
        "currency": message.currency,
        "price": decimal(message, "price"),
        "market_value": decimal(message, "market_value"),
        "unrealized_pnl": decimal(message, "unrealized_pnl"),
        "realized_pnl": decimal(message, "realized_pnl"),
        "priced_at": instant(message, "priced_at"),
        "stale": message.stale,
        "base_value": decimal(message, "base_value"),
        "lots": [lot(item) for item in message.lots],
    }


def lot(message: pb.Lot) -> dict[str, Any]:
    return {
        "transaction_id": message.transaction_id or None,
        "opened_at": instant(message, "opened_at"),
        "quantity": message.quantity.value,
        "cost": message.cost.value,
        "unrealized_pnl": decimal(message, "unrealized_pnl"),
    }


def translation_rate(message: pb.TranslationRate) -> dict[str, Any]:
    return {
        "currency": message.currency,
        "rate": message.rate.value,
        "date": message.date,
        "stale": message.stale,
    }


def positions(answer: pb.GetPositionsResponse) -> dict[str, Any]:
    return {
        "data": [position(item) for item in answer.positions],
        "cash": [money(item) for item in answer.cash],
        "cash_value": optional_money(answer, "cash_value"),
        "total_value": optional_money(answer, "total_value"),
        "exchange_rates": [translation_rate(rate) for rate in answer.exchange_rates],
        "as_of": instant(answer, "as_of"),
        "known_at": instant(answer, "known_at"),
        "seq": answer.seq,
    }


def ledger_entry(message: pb.LedgerEntry) -> dict[str, Any]:
    return {
        "id": message.id,
        "transaction_id": message.transaction_id,
        "description": message.description,
        "executed_at": instant(message, "executed_at"),
        "recorded_at": instant(message, "recorded_at"),
        "postings": [
            {"account": posting.account, "commodity": posting.commodity, "amount": posting.amount.value}
            for posting in message.postings
        ],
    }


def event(message: pb.AccountEvent) -> dict[str, Any]:
    """The same on REST and on the stream."""
    return {
        "channel": f"portfolio.{message.portfolio_id}",
        "seq": message.seq,
        "time": instant(message, "time") or instant(message, "recorded_at"),
        "type": message.type,
        "data": orjson.Fragment(message.data_json or "{}"),
    }
