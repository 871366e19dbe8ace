"""Ledger values as rows of JSON, which one statement turns into rows of a table whatever their number."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from quantmesh.portfolio.core.account_log import AccountEvent
from quantmesh.portfolio.core.admission import Holding
from quantmesh.portfolio.core.model import (
    Entry,
    LotChoice,
    PositionSide,
    Posting,
    Transaction,
    TransactionInput,
    TransactionType,
)
from quantmesh.portfolio.core.numbers import plain
from quantmesh.portfolio.core.option_terms import terms_of
from quantmesh.portfolio.core.told import id_text, lots_told, option_told

Row = Mapping[str, object]


def dump(value: object) -> str:
    """Decimals, ids and times as text, which Postgres reads exactly."""
    return orjson.dumps(value, default=str).decode()


def binary(content: bytes) -> str:
    return f"\\x{content.hex()}"


# Rows come without their owner, who is that of all rows of a statement.


def transaction_row(transaction: Transaction, salt: bytes, event: AccountEvent) -> Row:
    """With its salt and its event, whose number and times are the transaction's."""
    entry = transaction.entry
    asked = entry.input
    row = {
        "portfolio_id": id_text(transaction.portfolio_id),
        "id": id_text(transaction.id),
        "seq": transaction.seq,
        "type": asked.type.value,
        "symbol": asked.symbol,
        "quantity": asked.quantity,
        "price": asked.price,
        "amount": asked.amount,
        "fee": asked.fee,
        "split_ratio": asked.split_ratio,
        "currency": entry.currency,
        "note": asked.note,
        "cash_effect": entry.cash_effect,
        "postings": len(entry.postings),
        "executed_at": asked.executed_at,
        "recorded_at": transaction.recorded_at,
        "order_id": transaction.order_id,
        "import_id": None if transaction.import_id is None else id_text(transaction.import_id),
        "salt": binary(salt),
        "event": event.type,
        "data": event.data,
    }
    # Few have any of these, and what is not there is null.
    if asked.side is not None:
        row["side"] = asked.side
    if asked.lots:
        row["lots"] = lots_told(asked.lots)
    if asked.option is not None:
        row["option"] = option_told(asked.option)
    if transaction.reverses is not None:
        row["reverses"] = transaction.reverses
    return row


def posting_rows(transaction: Transaction) -> Iterable[Row]:
    portfolio_id, transaction_id = id_text(transaction.portfolio_id), id_text(transaction.id)
    for ordinal, posting in enumerate(transaction.entry.postings):
        yield {
            "portfolio_id": portfolio_id,
            "transaction_id": transaction_id,
            "ordinal": ordinal,
            "account": posting.account,
            "commodity": posting.commodity,
            "amount": posting.amount,
        }


def event_row(event: AccountEvent) -> Row:
    return {
        "seq": event.seq,
        "type": event.type,
        "occurred_at": event.time,
        "recorded_at": event.recorded_at,
        "data": event.data,
    }


def holding_rows(portfolio_id: UUID, balances: Mapping[Holding, Decimal]) -> list[Row]:
    """`reserved` is that of a new row: one that is there keeps its own."""
    portfolio = id_text(portfolio_id)
    return [
        {"portfolio_id": portfolio, "account": account, "commodity": commodity, "amount": amount, "reserved": 0}
        for (account, commodity), amount in balances.items()
    ]


def transaction_of(row: Any, postings: Iterable[Mapping[str, Any]]) -> Transaction:
    """From a row of `transaction` and its postings in order, their amounts as text."""
    asked = TransactionInput(
        type=TransactionType(row.type),
        executed_at=row.executed_at,
        currency=row.currency,
        symbol=row.symbol,
        quantity=_number(row.quantity),
        price=_number(row.price),
        amount=_number(row.amount),
        fee=_number(row.fee),
        split_ratio=_number(row.split_ratio),
        note=row.note,
        side=None if row.side is None else PositionSide(row.side),
        lots=lot_choices(row.lots),
        option=None if row.option is None else terms_of(row.option),
    )
    sides = tuple(Posting(side["account"], side["commodity"], Decimal(side["amount"])) for side in postings)
    return Transaction(
        id=row.id,
        portfolio_id=row.portfolio_id,
        seq=row.seq,
        entry=Entry(asked, row.currency, row.cash_effect, sides),
        recorded_at=row.recorded_at,
        order_id=row.order_id,
        import_id=row.import_id,
        reverses=row.reverses,
    )


def lot_choices(told: Iterable[Mapping[str, str]] | None) -> tuple[LotChoice, ...]:
    return tuple(LotChoice(UUID(lot["transaction_id"]), Decimal(lot["quantity"])) for lot in told or ())


def _number(value: Decimal | None) -> Decimal | None:
    """Without the zeros that NUMERIC(38,18) appends."""
    return None if value is None else Decimal(plain(value))
