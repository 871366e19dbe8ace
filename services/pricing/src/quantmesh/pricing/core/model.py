"""Values of pricing, frozen."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64] | float


@dataclass(frozen=True, slots=True)
class Contract:
    """A European option; `sign` is 1 for a call and -1 for a put."""

    sign: int
    spot: float
    strike: float
    time_to_expiry: float
    rate: float
    dividend_yield: float


class Priced(NamedTuple):
    price: float
    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float


@dataclass(frozen=True, slots=True)
class OptionColumns:
    """One batch of options: arrays of `rows` elements, or scalars that count for every row.

    `value` is the volatility where a price is asked for, and the price where a volatility is.
    """

    rows: int
    sign: NDArray[np.int8] | int
    spot: Column
    strike: Column
    time_to_expiry: Column
    rate: Column
    dividend_yield: Column
    value: Column
