"""Figures of a series against hand-computed cases."""

import math

import numpy as np
import pytest

from quantmesh.quant import performance
from quantmesh.quant.errors import DomainError


def test_linked_returns_and_drawdowns_by_hand() -> None:
    values = [100.0, 110.0, 99.0, 120.0, 90.0]
    returns = performance.simple_returns(values)
    np.testing.assert_allclose(returns, [0.1, -0.1, 120 / 99 - 1, -0.25])
    assert performance.time_weighted_return(returns) == pytest.approx(-0.1)
    np.testing.assert_allclose(performance.drawdown(values), [0, 0, -0.1, 0, -0.25])
    assert performance.maximum_drawdown(values) == pytest.approx(-0.25)


def test_volatility_and_sharpe_are_per_year() -> None:
    returns = [0.01, -0.01, 0.02]
    deviation = math.sqrt((0.01 - 0.02 / 3) ** 2 / 2 + (-0.01 - 0.02 / 3) ** 2 / 2 + (0.02 - 0.02 / 3) ** 2 / 2)
    assert performance.annualized_volatility(returns) == pytest.approx(deviation * math.sqrt(252))
    expected = (0.02 / 3 * 252 - 0.02) / (deviation * math.sqrt(252))
    assert performance.sharpe_ratio(returns, risk_free_rate=0.02) == pytest.approx(expected)
    assert math.isnan(performance.sharpe_ratio([0.0, 0.0]))


@pytest.mark.parametrize("values", [[1.0], [1.0, 0.0], [1.0, math.nan], 1.0])
def test_values_that_give_no_returns_are_refused(values: object) -> None:
    with pytest.raises(DomainError):
        performance.simple_returns(values)  # type: ignore[arg-type]
