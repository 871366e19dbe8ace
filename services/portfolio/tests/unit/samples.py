"""Inputs that unit tests share."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from quantmesh.portfolio.core.model import TransactionInput, TransactionType
from quantmesh.portfolio.core.option_terms import ExerciseStyle, OptionTerms, OptionType, Settlement

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


def option(symbol: str, underlying: str = "AAPL", **terms: Any) -> OptionTerms:
    """By its OSI symbol: American, settled by delivery of a hundred, expiring on day 30."""
    kind, strike = symbol[-9], Decimal(symbol[-8:]) / 1000
    return replace(
        OptionTerms(
            underlying,
            OptionType.CALL if kind == "C" else OptionType.PUT,
            strike,
            day(30),
            Decimal(100),
            ExerciseStyle.AMERICAN,
            Settlement.PHYSICAL,
        ),
        **terms,
    )


CALL, PUT, INDEX_CALL = "AAPL200201C00070000", "AAPL200201P00080000", "VIX200201C00020000"
OPTIONS = {CALL: option(CALL), PUT: option(PUT), INDEX_CALL: option(INDEX_CALL, "VIX", settlement=Settlement.CASH)}


def contracts(kind: str, symbol: str, quantity: str, at: datetime = START, **fields: Any) -> TransactionInput:
    return asked(kind, at, symbol=symbol, quantity=quantity, currency="USD", option=OPTIONS[symbol], **fields)


def deposit(amount: str, at: datetime = START) -> TransactionInput:
    return asked("deposit", at, amount=amount, currency="USD")
