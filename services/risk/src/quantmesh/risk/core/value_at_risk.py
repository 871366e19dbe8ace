"""Value at risk of a book at its last closes (RSK-1)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from quantmesh.quant import covariance, value_at_risk
from quantmesh.quant.errors import DomainError
from quantmesh.risk.core.errors import OutOfDomain
from quantmesh.risk.core.model import Book, Floats, History

Method = Literal["historical", "parametric"]


@dataclass(frozen=True, slots=True)
class BookRisk:
    """Arrays are in the order of the history's symbols."""

    figure: value_at_risk.ValueAtRisk
    market_values: Floats


def value_at_risk_of(
    book: Book, history: History, method: Method, confidence: float, horizon_days: int, observations: int
) -> BookRisk:
    """Today's quantities at the last close, under the simple daily returns of the last `observations` days."""
    returns = history.require(observations).returns[-observations:]
    quantities = np.array([float(book.quantities[symbol]) for symbol in history.symbols])
    exposures = quantities * history.last
    try:
        if method == "historical":
            figure = value_at_risk.historical(returns, exposures, confidence=confidence, horizon_days=horizon_days)
        else:
            matrix = covariance.sample(returns)
            figure = value_at_risk.parametric(matrix, exposures, confidence=confidence, horizon_days=horizon_days)
    except DomainError as error:
        raise OutOfDomain(error.argument, error.value, error.requirement) from error
    return BookRisk(figure, exposures)
