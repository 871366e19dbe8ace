"""Covariance of returns (RSK-8)."""

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant._samples import Floats, sample_of


def sample(returns: ArrayLike) -> Floats:
    """The unbiased sample covariance of `returns` (observations by assets), per period; assets by assets.

    Raises DomainError for anything not finite.
    """
    return np.atleast_2d(np.cov(sample_of(returns), rowvar=False, ddof=1))
