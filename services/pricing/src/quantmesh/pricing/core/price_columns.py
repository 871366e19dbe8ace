"""Prices and implied volatilities of columns of options."""

import numpy as np
from numpy.typing import NDArray

from quantmesh.pricing.core.model import GreekOrders, OptionColumns
from quantmesh.pricing.core.models import Inverse, PricingModel
from quantmesh.quant.black_scholes import ImpliedVolatilities

Floats = NDArray[np.float64]


def price_columns(model: PricingModel, columns: OptionColumns, orders: GreekOrders) -> dict[str, Floats]:
    """The answer's columns by name. Raises quant's DomainError for the first argument and row outside its domain."""
    values = model.evaluate(orders, columns.sign, *columns.values)
    return {name: np.broadcast_to(v, columns.rows) for name, v in zip(model.outputs(orders), values, strict=True)}


def imply_columns(inverse: Inverse, columns: OptionColumns) -> ImpliedVolatilities:
    """A volatility or a status (a key of the inverse's requirements) per row; the price is the last column."""
    *contract, price = columns.values
    volatility, status = inverse.volatilities(price, columns.sign, *contract)
    return ImpliedVolatilities(np.broadcast_to(volatility, columns.rows), np.broadcast_to(status, columns.rows))
