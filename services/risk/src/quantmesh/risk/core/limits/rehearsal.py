"""Each rule measured once, so that no order waits for what is imported and compiled on first use."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from quantmesh.risk.core.limits.account import Account, Instrument
from quantmesh.risk.core.limits.definition import Limit, Rule
from quantmesh.risk.core.limits.utilisation import Utilisation, utilisations
from quantmesh.risk.core.model import DEFAULT_OBSERVATIONS, History


def rehearse() -> list[Utilisation]:
    """On an account of its own, of two instruments that go up and down."""
    now, one = datetime(2020, 1, 2, tzinfo=UTC), Decimal(1)
    symbols = ("A", "B")
    days = np.arange(DEFAULT_OBSERVATIONS + 1)
    closes = np.column_stack([100.0 + np.sin(days), 100.0 + np.cos(days)])
    instruments = {symbol: Instrument(symbol, one, "USD", Decimal(100), one) for symbol in symbols}
    limits = [
        *(Limit(rule, one) for rule in Rule),
        Limit(Rule.VALUE_AT_RISK, one, method="parametric"),
        Limit(Rule.MARGIN_UTILISATION, one, margin_rule="portfolio"),
    ]
    return utilisations(limits, Account("USD", Decimal(100), instruments, now), History(symbols, closes, now))
