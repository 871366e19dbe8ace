"""The price of one contract, with its Greeks on request."""

from quantmesh.pricing.core.errors import InvalidArgument
from quantmesh.pricing.core.model import Priced
from quantmesh.pricing.core.models import PricingModel
from quantmesh.quant.errors import DomainError


def price_option(model: PricingModel, sign: int, values: tuple[float, ...]) -> Priced:
    """Raises InvalidArgument. Greeks cost a fraction of the price's arguments, so they are always computed."""
    try:
        return Priced(*map(float, model.price_and_greeks(sign, *values)))
    except DomainError as error:
        raise InvalidArgument.placed(error, model.place) from error
