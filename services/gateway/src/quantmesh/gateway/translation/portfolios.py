"""Portfolios, transactions, positions, the ledger and the account's log: JSON to messages and back."""

from typing import Any

import orjson

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.gateway.http.models.portfolios import TransactionBody
from quantmesh.gateway.translation.common import (
    decimal,
    decimal_request,
    finite,
    instant,
    instant_request,
    inverse,
    money,
    next_cursor,
    optional_money,
)

LOT_METHODS = {"average": pb.LOT_METHOD_AVERAGE, "fifo": pb.LOT_METHOD_FIFO}
TRANSACTION_TYPES = {
    "deposit": pb.TRANSACTION_TYPE_DEPOSIT,
    "withdrawal": pb.TRANSACTION_TYPE_WITHDRAWAL,
    "buy": pb.TRANSACTION_TYPE_BUY,
    "sell": pb.TRANSACTION_TYPE_SELL,
    "dividend": pb.TRANSACTION_TYPE_DIVIDEND,
    "interest": pb.TRANSACTION_TYPE_INTEREST,
    "fee": pb.TRANSACTION_TYPE_FEE,
    "split": pb.TRANSACTION_TYPE_SPLIT,
}
_LOT_METHOD_NAMES = inverse(LOT_METHODS)
_TRANSACTION_TYPE_NAMES = inverse(TRANSACTION_TYPES)


def portfolio(message: pb.Portfolio) -> dict[str, Any]:
    return {
        "id": message.id,
        "name": message.name,
        "base_currency": message.base_currency,
        "lot_method": _LOT_METHOD_NAMES[message.lot_method],
        "version": message.version,
        "created_at": instant(message, "created_at"),
    }


def transaction_request(portfolio_id: str, body: TransactionBody) -> pb.RecordTransactionRequest:
    return pb.RecordTransactionRequest(
        portfolio_id=portfolio_id,
        transaction=pb.TransactionInput(
            type=TRANSACTION_TYPES[body.type],
            symbol=body.symbol or "",
            quantity=decimal_request(body.quantity),
            price=decimal_request(body.price),
            amount=decimal_request(body.amount),
            fee=decimal_request(body.fee),
            currency=body.currency or "",
            executed_at=instant_request(body.executed_at),
            note=body.note,
            split_ratio=decimal_request(body.split_ratio),
        ),
    )


def transaction(message: pb.Transaction) -> dict[str, Any]:
    given = message.input
    return {
        "id": message.id or None,
        "portfolio_id": message.portfolio_id,
        "type": _TRANSACTION_TYPE_NAMES[given.type],
        "symbol": given.symbol or None,
        "quantity": decimal(given, "quantity"),
        "price": decimal(given, "price"),
        "amount": decimal(given, "amount"),
        "fee": decimal(given, "fee"),
        "currency": given.currency,
        "split_ratio": decimal(given, "split_ratio"),
        "note": given.note or None,
        "executed_at": instant(given, "executed_at"),
        "recorded_at": instant(message, "recorded_at"),
        "cash_effect": optional_money(message, "cash_effect"),
        "order_id": message.order_id or None,
        "import_id": message.import_id or None,
    }


def recorded(answer: pb.RecordTransactionResponse) -> dict[str, Any]:
    return {
        **transaction(answer.transaction),
        "position": position(answer.position) if answer.HasField("position") else None,
        "cash": optional_money(answer, "cash"),
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


def imported(answer: pb.ImportTransactionsResponse, portfolio_id: str) -> dict[str, Any]:
    return {
        "dry_run": answer.dry_run,
        "import_id": answer.import_id or None,
        "accepted_rows": len(answer.accepted),
        "rejected_rows": len({row.line for row in answer.rejected}),
        "duplicate_rows": len(answer.duplicates),
        "accepted": [{**transaction(item), "portfolio_id": portfolio_id} for item in answer.accepted],
        "rejected": [
            {"line": row.line, "column": row.column or None, "field": row.field or None, "reason": row.reason}
            for row in answer.rejected
        ],
        "duplicates": [{"line": row.line, "transaction_id": row.transaction_id} for row in answer.duplicates],
    }


def performance(answer: pb.GetPerformanceResponse) -> dict[str, Any]:
    return {
        "time_weighted_return": answer.time_weighted_return,
        "annualized_return": finite(answer.annualized_return),
        "volatility": finite(answer.volatility),
        "maximum_drawdown": answer.maximum_drawdown,
        "maximum_drawdown_start": answer.maximum_drawdown_start or None,
        "maximum_drawdown_end": answer.maximum_drawdown_end or None,
        "value": optional_money(answer, "value"),
        "series": [
            {
                "date": point.date,
                "value": point.value.value,
                "net_flow": point.net_flow.value,
                "time_weighted_return": point.time_weighted_return,
                "drawdown": point.drawdown,
            }
            for point in answer.series
        ],
        "next_cursor": next_cursor(answer.page),
        "exchange_rates": [translation_rate(rate) for rate in answer.exchange_rates],
        "as_of": instant(answer, "as_of"),
        "known_at": instant(answer, "known_at"),
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
