"""The price of one contract, with its Greeks on request."""

import math

from quantmesh.pricing.core.errors import InvalidArgument, NoPrice
from quantmesh.pricing.core.model import GreekOrders, Priced
from quantmesh.pricing.core.models import PricingModel
from quantmesh.quant.errors import DomainError


def price_option(model: PricingModel, sign: int, values: tuple[float, ...], orders: GreekOrders = "first") -> Priced:
    """Raises InvalidArgument, UnsupportedGreeks and NoPrice."""
    try:
        price, *greeks = map(float, model.evaluate(orders, sign, *values))
    except DomainError as error:
        raise InvalidArgument.placed(error, model.place) from error
    if not math.isfinite(price):
        raise NoPrice(model.engine)
    return Priced(price, dict(zip(model.outputs(orders)[1:], greeks, strict=True)))
