"""Inputs that unit tests share."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from quantmesh.portfolio.core.model import TransactionInput, TransactionType

START = datetime(2020, 1, 2, 15, 0, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def asked(kind: str, at: datetime = START, **fields: Any) -> TransactionInput:
    """Numbers as strings."""
    numbers = {"quantity", "price", "amount", "fee", "split_ratio"}
    values: dict[str, Any] = {name: Decimal(value) if name in numbers else value for name, value in fields.items()}
    return TransactionInput(TransactionType(kind), at, **values)


def buy(quantity: str, price: str, at: datetime = START, **fields: Any) -> TransactionInput:
    return asked("buy", at, symbol="AAPL", quantity=quantity, price=price, currency="USD", **fields)


def sell(quantity: str, price: str, at: datetime = START, **fields: Any) -> TransactionInput:
    return asked("sell", at, symbol="AAPL", quantity=quantity, price=price, currency="USD", **fields)


def deposit(amount: str, at: datetime = START) -> TransactionInput:
    return asked("deposit", at, amount=amount, currency="USD")
