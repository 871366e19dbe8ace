"""Values of pricing, frozen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64] | float


# "first" are delta, gamma, vega, theta and rho; "all" are those to the third order.
GreekOrders = Literal["none", "first", "all"]


@dataclass(frozen=True, slots=True)
class Priced:
    """`greeks` by name; none where none were asked for."""

    price: float
    greeks: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class OptionColumns:
    """One batch of options: arrays of `rows` elements, or scalars that count for every row.

    `sign` is 1 for a call and -1 for a put; `values` are in the order of the model's arguments, or, where volatilities
    are asked for, of its contract's values and the price.
    """

    rows: int
    sign: NDArray[np.int8] | int
    values: tuple[Column, ...]
