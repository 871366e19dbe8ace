"""Forwards from put-call parity: exact prices, outliers, intervals that cover as often as they say, and errors."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quantmesh.quant import black_76, forwards
from quantmesh.quant.errors import DomainError

STRIKES = np.arange(80.0, 121.0, 2.5)
FORWARD, DISCOUNT_FACTOR, YEARS = 101.3, math.exp(-0.03 * 0.5), 0.5


def prices(noise: NDArray[np.float64] | float = 0.0) -> dict[str, Any]:
    volatility = 0.25 - 0.1 * np.log(STRIKES / FORWARD)
    call, put = (black_76.price(kind, FORWARD, STRIKES, YEARS, 0.03, volatility) for kind in ("call", "put"))
    return {"strike": STRIKES, "time_to_expiry": YEARS, "call": call + noise, "put": put}


def test_exact_prices_give_back_the_forward_and_the_discount_factor() -> None:
    found = forwards.from_put_call_parity(**prices())
    assert found.forward[0] == pytest.approx(FORWARD, rel=1e-12)
    assert found.discount_factor[0] == pytest.approx(DISCOUNT_FACTOR, rel=1e-11)
    assert np.ptp(found.forward_interval) < 1e-9
    assert np.abs(found.residual).max() < 1e-11
    assert list(found.pairs) == [STRIKES.size]
    assert not found.is_outlier.any()


def test_expiries_come_in_order_and_each_keeps_its_own_line() -> None:
    near, far = prices(), prices()
    far["call"], far["put"] = (black_76.price(kind, 110.0, STRIKES, 2.0, 0.01, 0.3) for kind in ("call", "put"))
    order = np.random.default_rng(2).permutation(2 * STRIKES.size)
    rows: dict[str, Any] = {name: np.concatenate([far[name], near[name]])[order] for name in ("strike", "call", "put")}
    times = np.repeat([2.0, YEARS], STRIKES.size)[order]
    found = forwards.from_put_call_parity(time_to_expiry=times, **rows)
    np.testing.assert_array_equal(found.time_to_expiry, [YEARS, 2.0])
    np.testing.assert_allclose(found.forward, [FORWARD, 110.0], rtol=1e-12)
    np.testing.assert_allclose(found.discount_factor, [DISCOUNT_FACTOR, math.exp(-0.02)], rtol=1e-11)


def test_quotes_far_from_the_line_have_no_say() -> None:
    noise = np.random.default_rng(4).normal(0.0, 0.01, STRIKES.size)
    clean = forwards.from_put_call_parity(**prices(noise))
    noise[[0, 5, 16]] += [4.0, -2.5, 3.0]
    found = forwards.from_put_call_parity(**prices(noise))
    assert list(np.flatnonzero(found.is_outlier)) == [0, 5, 16]
    assert found.pairs[0] == STRIKES.size - 3
    assert found.residual[0] == pytest.approx(4.0, abs=0.1)
    assert found.forward[0] == pytest.approx(clean.forward[0], abs=0.01)
    assert np.diff(found.forward_interval)[0, 0] < 0.05


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(8)
    forward_hits = discount_hits = 0
    spreads = generator.uniform(0.02, 0.3, STRIKES.size)
    trials = 400
    exact = prices()
    for _ in range(trials):
        noisy = exact | {"call": exact["call"] + generator.normal(0.0, 0.3 * spreads)}
        found = forwards.from_put_call_parity(**noisy, spread=spreads, confidence=0.9)
        forward_hits += bool(found.forward_interval[0, 0] <= FORWARD <= found.forward_interval[0, 1])
        low, high = found.discount_factor_interval[0]
        discount_hits += bool(low <= DISCOUNT_FACTOR <= high)
    # 0.9 plus or minus more than three standard errors of 0.015, with room for the estimate of the scale.
    assert 0.84 < forward_hits / trials < 0.95
    assert 0.84 < discount_hits / trials < 0.95


def test_narrow_quotes_weigh_more() -> None:
    noise = np.where(STRIKES < 100.0, 0.0, np.random.default_rng(6).normal(0.0, 0.5, STRIKES.size))
    spreads = np.where(STRIKES < 100.0, 0.01, 1.0)
    weighted = forwards.from_put_call_parity(**prices(noise), spread=spreads)
    assert weighted.forward[0] == pytest.approx(FORWARD, abs=0.01)


def test_two_pairs_make_a_line_without_an_interval() -> None:
    found = forwards.from_put_call_parity([90, 110], 1.0, [15.0, 4.0], [4.0, 12.0])
    assert found.discount_factor[0] == pytest.approx(19 / 20)
    assert found.forward[0] == pytest.approx(90 + 11 * 20 / 19)
    assert list(found.forward_interval[0]) == [-math.inf, math.inf]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"strike": 100.0}, r"^strike must be at least two different ones per expiry.*got 1 strike at 0.5 years"),
        ({"strike": -STRIKES}, r"^strike\[0\] must be a positive number, got -80"),
        ({"call": math.nan}, r"^call\[0\] must be"),
        ({"spread": 0.0}, r"^spread\[0\] must be a positive number"),
        ({"time_to_expiry": np.array([0.5, 0.5])}, r"^time_to_expiry must be one value, or 17 rows"),
        ({"confidence": 1.0}, r"^confidence must be between 0 and 1"),
        ({"call": STRIKES}, r"^call - put must be falling with the strike.*discount factor"),
    ],
)
def test_what_gives_no_line_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        forwards.from_put_call_parity(**(prices() | wrong))
