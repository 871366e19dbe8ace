"""Accounts, limits and closes that the tests of limits share."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np

from quantmesh.risk.core.limits.account import Account, Instrument, Order
from quantmesh.risk.core.limits.definition import Limit, Rule
from quantmesh.risk.core.model import History

NOW = datetime(2022, 12, 20, 18, tzinfo=UTC)
SYMBOLS = ("AAPL", "JPM", "XOM")
PRICES = dict(zip(SYMBOLS, map(Decimal, ("100", "50", "20")), strict=True))


def instrument(symbol: str, quantity: str = "0", *, price: Decimal | None = None, **more: Any) -> Instrument:
    return Instrument(
        symbol,
        Decimal(quantity),
        more.pop("currency", "USD"),
        PRICES[symbol] if price is None else price,
        more.pop("exchange_rate", Decimal(1)),
        Decimal(more.pop("lot_size", "1")),
        **more,
    )


def account(cash: str = "10000", *, day_profit: str = "0", orders: tuple[Order, ...] = (), **held: str) -> Account:
    """All symbols are priced, those named are held."""
    instruments = {symbol: instrument(symbol, held.get(symbol, "0")) for symbol in SYMBOLS}
    return Account("USD", Decimal(cash), instruments, NOW, orders, Decimal(day_profit))


def limit(rule: Rule, most: str, warning: str | None = None, **more: Any) -> Limit:
    return Limit(rule, Decimal(most), None if warning is None else Decimal(warning), **more)


def buy(symbol: str, quantity: str, **more: Any) -> Order:
    return Order(symbol, Decimal(quantity), **more)


def sell(symbol: str, quantity: str, **more: Any) -> Order:
    return Order(symbol, -Decimal(quantity), **more)


def closes(days: int = 501) -> History:
    """Paths that end at the prices of the accounts."""
    steps = np.random.default_rng(7).normal(2e-4, 0.012, (days, len(SYMBOLS)))
    paths = np.exp(steps.cumsum(axis=0))
    return History(SYMBOLS, paths / paths[-1] * np.array([float(price) for price in PRICES.values()]), NOW)
