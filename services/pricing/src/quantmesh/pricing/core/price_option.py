"""The price of one contract, with its Greeks on request."""

import math

from quantmesh.pricing.core.errors import InvalidArgument, NoPrice
from quantmesh.pricing.core.model import Priced
from quantmesh.pricing.core.models import PricingModel
from quantmesh.quant.errors import DomainError


def price_option(model: PricingModel, sign: int, values: tuple[float, ...]) -> Priced:
    """Raises InvalidArgument and NoPrice. Greeks cost a fraction of the price, so they are always computed."""
    try:
        priced = Priced(*map(float, model.price_and_greeks(sign, *values)))
    except DomainError as error:
        raise InvalidArgument.placed(error, model.place) from error
    if not math.isfinite(priced.price):
        raise NoPrice(model.engine)
    return priced
