"""Transactions, their reversals and their imports: JSON to messages and back."""

from typing import Any

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.gateway.http.models.transactions import TransactionBody
from quantmesh.gateway.translation.common import (
    decimal,
    decimal_request,
    instant,
    instant_request,
    inverse,
    optional_money,
)
from quantmesh.gateway.translation.portfolios import position

_TYPES = {
    name: pb.TransactionType.Value(f"TRANSACTION_TYPE_{name.upper()}")
    for name in (
        "deposit",
        "withdrawal",
        "buy",
        "sell",
        "dividend",
        "interest",
        "fee",
        "split",
        "option_open",
        "option_close",
        "option_exercise",
        "option_assignment",
        "option_expiry",
        "reversal",
    )
}
_SIDES = {"long": pb.POSITION_SIDE_LONG, "short": pb.POSITION_SIDE_SHORT}
TYPE_NAMES = inverse(_TYPES)
_SIDE_NAMES = inverse(_SIDES)


def transaction_request(portfolio_id: str, body: TransactionBody) -> pb.RecordTransactionRequest:
    return pb.RecordTransactionRequest(
        portfolio_id=portfolio_id,
        transaction=pb.TransactionInput(
            type=_TYPES[body.type],
            symbol=body.symbol or "",
            quantity=decimal_request(body.quantity),
            price=decimal_request(body.price),
            amount=decimal_request(body.amount),
            fee=decimal_request(body.fee),
            currency=body.currency or "",
            executed_at=instant_request(body.executed_at),
            note=body.note,
            split_ratio=decimal_request(body.split_ratio),
            side=_SIDES[body.side] if body.side else pb.POSITION_SIDE_UNSPECIFIED,
            lots=[
                pb.LotChoice(transaction_id=lot.transaction_id, quantity=decimal_request(lot.quantity))
                for lot in body.lots
            ],
        ),
    )


def transaction(message: pb.Transaction) -> dict[str, Any]:
    given = message.input
    return {
        "id": message.id or None,
        "portfolio_id": message.portfolio_id,
        "type": TYPE_NAMES[given.type],
        "symbol": given.symbol or None,
        "quantity": decimal(given, "quantity"),
        "price": decimal(given, "price"),
        "amount": decimal(given, "amount"),
        "fee": decimal(given, "fee"),
        "currency": given.currency,
        "split_ratio": decimal(given, "split_ratio"),
        "note": given.note or None,
        "side": _SIDE_NAMES[given.side] if given.side else None,
        "lots": [{"transaction_id": lot.transaction_id, "quantity": lot.quantity.value} for lot in given.lots],
        "option": _option(message.option) if message.HasField("option") else None,
        "executed_at": instant(given, "executed_at"),
        "recorded_at": instant(message, "recorded_at"),
        "cash_effect": optional_money(message, "cash_effect"),
        "order_id": message.order_id or None,
        "import_id": message.import_id or None,
        "reverses": message.reverses or None,
        "reversed_by": message.reversed_by or None,
    }


def recorded(answer: pb.RecordTransactionResponse | pb.ReverseTransactionResponse) -> dict[str, Any]:
    return {
        **transaction(answer.transaction),
        "position": position(answer.position) if answer.HasField("position") else None,
        "cash": optional_money(answer, "cash"),
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


def reversed_import(answer: pb.ReverseImportResponse) -> dict[str, Any]:
    return {
        "import_id": answer.import_id,
        "reversed_rows": answer.reversed_rows,
        "first_seq": answer.first_seq,
        "last_seq": answer.last_seq,
    }


def _option(message: pb.OptionTerms) -> dict[str, Any]:
    return {
        "underlying": message.underlying,
        "option_type": message.option_type,
        "strike": message.strike.value,
        "expiry": instant(message, "expiry"),
        "multiplier": message.multiplier.value,
        "exercise": message.exercise,
        "settlement": message.settlement,
    }
