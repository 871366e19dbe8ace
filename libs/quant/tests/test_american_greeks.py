"""American Greeks against differences, many spots of a contract, shapes, and what is refused."""

import math
from typing import Any

import numpy as np
import pytest

from quantmesh.quant import american as typed_american
from quantmesh.quant.errors import DomainError

# Contracts are unpacked from tuples before other arguments, which the type checker cannot follow.
american: Any = typed_american

_DAYS = 365


@pytest.mark.parametrize(
    "row", [(-1, 95.0, 400, 0.05, 0.02, 0.25), (1, 110.0, 900, 0.03, 0.06, 0.4), (-1, 105.0, 90, 0.01, 0.05, 0.2)]
)
def test_greeks_agree_with_differences_of_high_precision_prices(row: Any) -> None:
    sign, spot, days, rate, dividend_yield, volatility = row
    centre = (spot, 100.0, days / _DAYS, rate, dividend_yield, volatility)
    step = np.diag([0.05, 0.0, 1e-3, 1e-4, 0.0, 1e-3])
    moved = np.concatenate([centre + step, centre - step, [centre]])
    up, down, (middle,) = np.split(np.asarray(american.price(sign, *moved.T, accuracy="high_precision")), [6, 12])
    slope = (up - down) / np.maximum(2.0 * step.diagonal(), 1e-9)
    gamma = (up[0] - 2.0 * middle + down[0]) / 0.05**2
    expected = np.array([slope[0], gamma, slope[5], -slope[2], slope[3]])
    for accuracy, tolerance in (("high_precision", 2e-4), ("accurate", 2e-3)):
        greeks = np.array([*american.greeks(sign, *centre, accuracy=accuracy)])
        np.testing.assert_allclose(greeks, expected, rtol=tolerance, atol=tolerance)


def test_an_exercised_option_has_delta_one_and_no_other_greeks() -> None:
    greeks = american.greeks(["put", "call"], [60.0, 180.0], 100.0, 1.0, 0.06, [0.0, 0.15], 0.2)
    np.testing.assert_array_equal(greeks.delta, [-1.0, 1.0])
    for name in ("gamma", "vega", "theta", "rho"):
        np.testing.assert_array_equal(getattr(greeks, name), [0.0, 0.0])


@pytest.mark.parametrize(("kind", "rate", "dividend_yield"), [("put", -0.01, -0.03), ("call", -0.03, -0.01)])
def test_greeks_with_two_boundaries_agree_with_differences(kind: str, rate: float, dividend_yield: float) -> None:
    terms = (100.0, 1.0, rate, dividend_yield, 0.1)
    spots = np.array([90.0, 95.0, 110.0])
    greeks = american.greeks(kind, spots, *terms)
    up, middle, down = (american.price(kind, spots + by, *terms, accuracy="high_precision") for by in (0.5, 0.0, -0.5))
    np.testing.assert_allclose(greeks.delta, np.subtract(up, down), atol=1e-3)
    np.testing.assert_allclose(greeks.gamma, (np.add(up, down) - 2 * np.asarray(middle)) / 0.25, atol=1e-3)
    later, sooner = (american.price(kind, spots, 100.0, 1.0 + by, *terms[2:]) for by in (0.01, -0.01))
    np.testing.assert_allclose(greeks.theta, np.subtract(sooner, later) / 0.02, atol=2e-3)


def test_many_spots_of_a_contract_are_priced_as_each_by_itself() -> None:
    spots = np.array(
        [[0.0, 60.0, 95.0, 130.0], [0.0, 80.0, 100.0, 300.0], [40.0, 85.0, 100.0, 115.0], [0.0, 85.0, 100.0, 115.0]]
    )
    rate, dividend_yield = np.array([0.05, -0.01, -0.01, -0.04]), np.array([0.02, 0.03, -0.04, -0.01])
    for kind in ("put", "call"):
        over = american.price_over_spots(kind, spots, 100.0, 1.0, rate, dividend_yield, 0.12)
        each = american.price(kind, spots, 100.0, 1.0, rate[:, None], dividend_yield[:, None], 0.12)
        np.testing.assert_allclose(over, each, rtol=0, atol=1e-5)


def test_spots_go_before_and_scenarios_behind_the_shape_of_the_contracts() -> None:
    shifted = american.price_over_spots("put", np.full((2, 3, 40), 95.0), 100.0, 1.0, 0.05, 0.0, [0.1, 0.2, 0.3])
    assert shifted.shape == (2, 3, 40)
    assert american.price_over_spots("put", [90.0, 95.0], [[100.0], [105.0]], 1.0, 0.05, 0.0, 0.2).shape == (2, 1, 2)
    assert american.price_over_spots("put", [90.0, 95.0], 100.0, 1.0, 0.05, 0.0, 0.2).shape == (2,)
    assert american.price_over_spots("put", np.empty((0, 5)), 100.0, 1.0, 0.05, 0.0, 0.2).shape == (0, 5)
    with pytest.raises(DomainError, match=r"spots\[1\] must be a number from 0"):
        american.price_over_spots("put", [90.0, math.nan], 100.0, 1.0, 0.05, 0.0, 0.2)
    with pytest.raises(DomainError, match="spots must be an array"):
        american.price_over_spots("put", 90.0, 100.0, 1.0, 0.05, 0.0, 0.2)


def test_scalars_give_floats_and_arrays_keep_their_shape() -> None:
    assert type(american.price("put", 100, 100, 1, 0.05, 0.0, 0.2)) is float
    assert type(american.greeks("put", 100, 100, 1, 0.05, 0.0, 0.2).vega) is float
    assert np.shape(american.price("put", np.full((2, 1), 100.0), np.full(3, 100.0), 1.0, 0.05, 0.0, 0.2)) == (2, 3)
    assert np.shape(american.price("put", [], 100.0, 1.0, 0.05, 0.0, 0.2)) == (0,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("put", 100.0, 100.0, 1.0, 0.05, 0.0, -0.2), "volatility must be a number from 0 to 1e6, got -0.2"),
        (("put", -1.0, 100.0, 1.0, 0.05, 0.0, 0.2), "spot must be"),
        (("put", 100.0, [100.0, math.nan], 1.0, 0.05, 0.0, 0.2), r"strike\[1\] must be"),
        (("put", 100.0, 100.0, 1.0, math.inf, 0.0, 0.2), "rate must be"),
        (("put", 100.0, 100.0, -1.0, 0.05, 0.0, 0.2), "time_to_expiry must be"),
        (("straddle", 100.0, 100.0, 1.0, 0.05, 0.0, 0.2), "option_type must be"),
    ],
)
def test_a_value_outside_its_domain_is_named(arguments: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        american.price(*arguments)
    with pytest.raises(DomainError, match=message):
        american.greeks(*arguments)


def test_an_unknown_accuracy_is_named() -> None:
    unknown: Any = "best"
    with pytest.raises(DomainError, match="accuracy must be 'fast' or 'accurate' or 'high_precision', got 'best'"):
        american.price("put", 100.0, 100.0, 1.0, 0.05, 0.0, 0.2, accuracy=unknown)
