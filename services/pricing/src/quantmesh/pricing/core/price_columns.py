"""Prices and implied volatilities of columns of options."""

import numpy as np
from numpy.typing import NDArray

from quantmesh.pricing.core.model import OptionColumns
from quantmesh.quant import black_scholes
from quantmesh.quant.black_scholes import ImpliedVolatilities, PriceAndGreeks

Floats = NDArray[np.float64]

REASONS = {
    int(status): f"{argument} must be {requirement}"
    for status, (argument, requirement) in black_scholes.REQUIREMENTS.items()
}


def price_columns(columns: OptionColumns, *, greeks: bool) -> dict[str, Floats]:
    """The answer's columns by name. Raises quant's DomainError for the first argument and row outside its domain."""
    arguments = (
        columns.sign,
        columns.spot,
        columns.strike,
        columns.time_to_expiry,
        columns.rate,
        columns.dividend_yield,
        columns.value,
    )
    if greeks:
        values = black_scholes.price_and_greeks(*arguments)
        return {name: np.broadcast_to(v, columns.rows) for name, v in zip(PriceAndGreeks._fields, values, strict=True)}
    return {"price": np.broadcast_to(black_scholes.price(*arguments), columns.rows)}


def imply_columns(columns: OptionColumns) -> ImpliedVolatilities:
    """A volatility or a status (see REASONS) per row."""
    volatility, status = black_scholes.implied_volatilities(
        columns.value,
        columns.sign,
        columns.spot,
        columns.strike,
        columns.time_to_expiry,
        columns.rate,
        columns.dividend_yield,
    )
    return ImpliedVolatilities(np.broadcast_to(volatility, columns.rows), np.broadcast_to(status, columns.rows))
