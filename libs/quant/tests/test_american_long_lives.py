"""Options over decades, of strong drifts or with next to no interest to earn, whose boundary takes more points."""

from typing import Any

import numpy as np
import pytest

from quantmesh.quant import american as typed_american
from quantmesh.quant import black_scholes as typed_black_scholes
from quantmesh.quant.errors import DomainError

from .american_oracles import quantlib_price

# Contracts are unpacked from tuples before other arguments, which the type checker cannot follow.
american: Any = typed_american
black_scholes: Any = typed_black_scholes

_DAYS = 365
# Sign, spot, days, rate, yield, volatility. A scheme that serves three years lowers their prices with a longer life, by
# up to 7e-3: from drifts of -25 deviations of the put that each is, over 1.5 to 2, to 18.
LONG = [
    (1, 259.0, 6730, 0.133, 0.019, 0.02),
    (-1, 36.0, 7055, 0.031, 0.141, 0.02),
    (-1, 82.0, 5960, 0.141, 0.065, 0.2),
    (1, 120.0, 6490, 0.048, 0.11, 0.17),
    (-1, 83.0, 5665, 0.14, 0.014, 0.24),
    (-1, 97.0, 6495, 0.146, 0.023, 0.1),
    (1, 102.0, 6290, 0.018, 0.125, 0.08),
    (1, 100.0, 6335, 0.0, 0.139, 0.04),
    (-1, 100.0, 6515, 0.148, 0.031, 0.03),
    (1, 100.0, 7210, 0.021, 0.1, 0.02),
]


def columns_of(contracts: list[Any], longer: float = 1.0) -> Any:
    sign, spot, days, *terms = np.array(contracts, float).T
    return sign, spot, 100.0, longer * days / _DAYS, *terms


@pytest.mark.parametrize("longer", [1.0, 1.2])
def test_long_lives_agree_with_quantlib(longer: float) -> None:
    columns = columns_of(LONG, longer)
    exact = [quantlib_price(sign, spot, longer * days, *terms) for sign, spot, days, *terms in LONG]
    for accuracy, largest in (("fast", 2e-3), ("accurate", 2e-5), ("high_precision", 1e-6)):
        np.testing.assert_allclose(american.price(*columns, accuracy), exact, rtol=0, atol=largest)


def test_a_longer_life_takes_nothing_from_a_price() -> None:
    generator = np.random.default_rng(8)
    rows = 10_000
    sign = generator.choice([-1, 1], rows)
    spot = np.clip(100.0 * np.exp(generator.normal(0.0, 0.3, rows)), 20.0, 400.0)
    time = generator.uniform(0.005, 20.0, rows)
    rate, dividend_yield = generator.uniform(0.0, 0.15, (2, rows))
    volatility = np.exp(generator.uniform(np.log(0.02), np.log(1.5), rows))
    lives = ((sign, spot, 100.0, life, rate, dividend_yield, volatility) for life in (time, 1.2 * time))
    shorter, longer = (american.price(*life) for life in lives)
    assert np.min(longer - shorter) >= -5e-5


@pytest.mark.parametrize(
    ("spot", "time", "rate", "dividend_yield", "volatility"),
    [
        (394.0, 1.56, 1.74e-14, 1.74e-14, 0.286),
        (347.0, 0.135, 2.52e-14, 9.13e-14, 0.88),
        (376.1, 20.0, 1e-8, 1e-8, 0.0747),
    ],
)
def test_with_nearly_nothing_to_earn_a_call_is_worth_its_european_value(
    spot: float, time: float, rate: float, dividend_yield: float, volatility: float
) -> None:
    """Exercised where a scheme for ordinary rates sees the boundary, it would lose up to 1e-3."""
    contract: Any = ("call", spot, 100.0, time, rate, dividend_yield, volatility)
    most_earned = spot * max(rate, dividend_yield) * time
    price, european = american.price(*contract), black_scholes.price(*contract)
    assert european - 1e-6 <= price <= european + most_earned + 1e-6


def test_many_spots_are_priced_as_each_by_itself() -> None:
    terms = np.array([[4.0, 0.05, 0.02, 0.2], [18.0, 0.14, 0.02, 0.2], [12.0, 0.04, 0.12, 0.1]]).T
    spots = np.array([60.0, 85.0, 99.0, 140.0])
    for kind in ("put", "call"):
        over = american.price_over_spots(kind, spots, 100.0, *terms)
        each = american.price(kind, spots, 100.0, *(column[:, None] for column in terms))
        np.testing.assert_allclose(over, each, rtol=0, atol=1e-10)


def test_greeks_do_not_see_that_their_steps_change_the_points() -> None:
    """The rate over the life, or the drift in deviations, lies where the points change and the price jumps."""
    for time, volatility in ((4.0, 0.6), (3.0, 0.1 * np.sqrt(3.0) / 1.5)):
        contract: Any = ("put", [80.0, 110.0, 200.0], 100.0, time, 0.1, 0.0, volatility)
        greeks, exact = (american.greeks(*contract, name) for name in ("fast", "high_precision"))
        np.testing.assert_allclose(greeks.rho, exact.rho, rtol=0, atol=0.1)
        np.testing.assert_allclose(greeks.vega, exact.vega, rtol=0, atol=0.1)


def test_an_argument_out_of_its_domain_is_named_behind_a_long_life() -> None:
    with pytest.raises(DomainError, match=r"volatility\[2\] must be"):
        american.price("put", 100.0, 100.0, [1.0, 20.0, 20.0], 0.1, 0.0, [0.2, 0.2, -0.2])
