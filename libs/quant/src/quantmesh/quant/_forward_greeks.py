"""Greeks by the forward, for models that know no spot."""

from typing import NamedTuple

from quantmesh.quant._evaluation import Value


class HigherOrderGreeks(NamedTuple):
    """Derivatives at an unmoved forward; those by time are by calendar time, as theta's."""

    delta: Value
    gamma: Value
    vega: Value
    theta: Value
    rho: Value
    vanna: Value  # delta by volatility
    charm: Value  # delta by time
    volga: Value  # vega by volatility
    veta: Value  # vega by time
    vera: Value  # rho by volatility
    speed: Value  # gamma by forward
    zomma: Value  # gamma by volatility
    color: Value  # gamma by time
    ultima: Value  # volga by volatility
