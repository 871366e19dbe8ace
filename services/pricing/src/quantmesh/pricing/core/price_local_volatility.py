"""The diffusion that reprices a surface, and prices on its grid (PRC-6)."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from quantmesh.pricing.core.errors import InvalidArgument
from quantmesh.pricing.core.fit_surface import FittedSurface
from quantmesh.pricing.core.market_quotes import Floats
from quantmesh.quant import local_volatility
from quantmesh.quant.errors import DomainError
from quantmesh.quant.local_volatility import LocalVolatility

_MOST_OPTIONS = 1_000
# Each is a march of its own through the grid.
_MOST_AMERICAN_OPTIONS = 50


def check_count(options: int, exercise: Literal["european", "american"]) -> None:
    """Raises InvalidArgument for more than an answer may take."""
    most = _MOST_OPTIONS if exercise == "european" else _MOST_AMERICAN_OPTIONS
    if options > most:
        raise InvalidArgument("options", options, f"at most {most} of {exercise} exercise")


def price_local_volatility(
    surface: FittedSurface,
    rate: float,
    sign: NDArray[np.int8],
    strike: Floats,
    time_to_expiry: Floats,
    exercise: Literal["european", "american"],
) -> tuple[LocalVolatility, Floats]:
    """The local volatilities, and a price per option. Raises InvalidArgument."""
    try:
        local = local_volatility.from_surface(surface.fit.surface)
        rates = surface.rate_at(time_to_expiry, rate)
        prices = local.price(sign, strike, time_to_expiry, rates, exercise=exercise) if sign.size else np.empty(0)
    except DomainError as error:
        row = "" if error.index is None else f"options[{error.index}]."
        raise InvalidArgument(row + error.argument, error.value, error.requirement) from error
    return local, np.atleast_1d(prices)
