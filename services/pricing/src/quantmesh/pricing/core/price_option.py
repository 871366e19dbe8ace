"""The price of one contract, with its Greeks on request."""

from quantmesh.pricing.core.errors import InvalidArgument
from quantmesh.pricing.core.model import Contract, Priced
from quantmesh.quant import black_scholes
from quantmesh.quant.errors import DomainError


def price_option(contract: Contract, volatility: float) -> Priced:
    """Raises InvalidArgument. Greeks cost a fraction of the price's arguments, so they are always computed."""
    try:
        priced = black_scholes.price_and_greeks(
            contract.sign,
            contract.spot,
            contract.strike,
            contract.time_to_expiry,
            contract.rate,
            contract.dividend_yield,
            volatility,
        )
        return Priced(*map(float, priced))
    except DomainError as error:
        raise InvalidArgument.of_contract(error) from error
