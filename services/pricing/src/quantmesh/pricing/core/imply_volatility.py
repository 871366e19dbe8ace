"""The volatility that reproduces the price of one contract."""

import math

from quantmesh.pricing.core.errors import InvalidArgument, NoImpliedVolatility
from quantmesh.pricing.core.model import Contract
from quantmesh.quant import black_scholes
from quantmesh.quant.errors import DomainError


def imply_volatility(contract: Contract, price: float) -> float:
    """Raises InvalidArgument, and NoImpliedVolatility with the range of prices that have one."""
    try:
        volatility = black_scholes.implied_volatility(
            price,
            contract.sign,
            contract.spot,
            contract.strike,
            contract.time_to_expiry,
            contract.rate,
            contract.dividend_yield,
        )
        return float(volatility)
    except DomainError as error:
        if error.argument == "price" and 0.0 <= price < math.inf:
            raise NoImpliedVolatility(price, *_price_range(contract)) from error
        raise InvalidArgument.of_contract(error) from error


def _price_range(contract: Contract) -> tuple[float, float]:
    carried_spot = contract.spot * math.exp(-contract.dividend_yield * contract.time_to_expiry)
    discounted_strike = contract.strike * math.exp(-contract.rate * contract.time_to_expiry)
    intrinsic = max(contract.sign * (carried_spot - discounted_strike), 0.0)
    return intrinsic, carried_spot if contract.sign == 1 else discounted_strike
