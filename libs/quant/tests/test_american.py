"""American prices against QuantLib, published tables, parities, limits and each other."""

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # type: ignore[import-untyped]  # it has no stubs

from quantmesh.quant import american, black_scholes
from quantmesh.quant.errors import DomainError

_DAYS = 365
# Type, spot, time in days, rate, yield, volatility; the strike is 100.
GRID = list(
    product(
        (-1, 1),
        (70.0, 95.0, 110.0, 140.0),
        (30, 365, 1095),
        (0.02, 0.09),
        (0.0, 0.04, 0.12),
        (0.1, 0.25, 0.6),
    )
)


def columns_of(grid: list[Any]) -> tuple[Any, ...]:
    sign, spot, days, rate, dividend_yield, volatility = np.array(grid, float).T
    return sign, spot, 100.0, days / _DAYS, rate, dividend_yield, volatility


def quantlib_price(
    sign: float, spot: float, days: float, rate: float, dividend_yield: float, volatility: float, engine: Any = None
) -> float:
    """By QdFp with 30 iterations and 100 collocation points, unless another engine is made of the process."""
    today = ql.Date(15, 6, 2022)
    ql.Settings.instance().evaluationDate = today
    count = ql.Actual365Fixed()
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(spot)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, dividend_yield, count)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, rate, count)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), volatility, count)),
    )
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if sign > 0 else ql.Option.Put, 100.0)
    option = ql.VanillaOption(payoff, ql.AmericanExercise(today, today + ql.Period(int(days), ql.Days)))
    if engine is None:
        option.setPricingEngine(ql.QdFpAmericanEngine(process, ql.QdFpTanhSinhIterationScheme(30, 100, 1e-13)))
    else:
        option.setPricingEngine(engine(process))
    return float(option.NPV())


def test_high_precision_is_within_1e_7_of_quantlibs_finest_scheme() -> None:
    sample = GRID[::23]
    ours = american.price(*columns_of(sample), "high_precision")
    theirs = [quantlib_price(*row) for row in sample]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("accuracy", "root_mean_square", "largest"), [("fast", 9e-5, 2e-3), ("accurate", 4e-6, 1e-4)])
def test_coarser_accuracies_keep_their_error(accuracy: Any, root_mean_square: float, largest: float) -> None:
    columns = columns_of(GRID)
    errors = np.asarray(american.price(*columns, accuracy)) - american.price(*columns, "high_precision")
    assert math.sqrt((errors**2).mean()) < root_mean_square
    assert np.abs(errors).max() < largest
