"""The volatility that reproduces the price of one contract."""

import math

from quantmesh.pricing.core.errors import InvalidArgument, NoImpliedVolatility, NoInverse
from quantmesh.pricing.core.models import Inverse, PricingModel
from quantmesh.quant.errors import DomainError


def inverse_of(model: PricingModel) -> Inverse:
    """Raises NoInverse for a model without a volatility."""
    if model.inverse is None:
        raise NoInverse(model.name)
    return model.inverse


def imply_volatility(model: PricingModel, sign: int, contract: tuple[float, ...], price: float) -> float:
    """Raises InvalidArgument, NoInverse, and NoImpliedVolatility with the range of prices that have one."""
    inverse = inverse_of(model)
    try:
        return float(inverse.volatility(price, sign, *contract))
    except DomainError as error:
        if error.argument == "price" and 0.0 <= price < math.inf:
            raise NoImpliedVolatility(price, *inverse.price_range(sign, *contract)) from error
        raise InvalidArgument.placed(error, model.place) from error
