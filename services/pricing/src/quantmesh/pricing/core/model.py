"""Values of pricing, frozen."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64] | float


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

    `sign` is 1 for a call and -1 for a put; `values` are in the order of the model's arguments, or, where volatilities
    are asked for, of its contract's values and the price.
    """

    rows: int
    sign: NDArray[np.int8] | int
    values: tuple[Column, ...]
