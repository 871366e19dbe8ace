"""Rebates of continuous barriers in simulations of few steps: they are paid when a barrier is hit, not with a step."""

from typing import Literal

import pytest

from quantmesh.quant.exotics import barriers
from quantmesh.quant.monte_carlo import Barrier, DoubleBarrier, GeometricBrownianMotion, price

CASES: list[tuple[Literal["down_and_out", "up_and_out"], float]] = [("down_and_out", 90.0), ("up_and_out", 110.0)]


@pytest.mark.parametrize("rate", [-0.3, -0.05, 0.05, 0.3])
@pytest.mark.parametrize(("barrier_type", "barrier"), CASES)
def test_one_step_pays_a_rebate_when_it_is_due(
    rate: float, barrier_type: Literal["down_and_out", "up_and_out"], barrier: float
) -> None:
    exact = barriers.price("call", barrier_type, 100.0, 100.0, barrier, 10.0, 1.0, rate, 0.02, 0.2)
    process = GeometricBrownianMotion(100.0, rate, 0.02, 0.2)
    found = price(Barrier("call", barrier_type, 100.0, barrier, 1.0, rebate=10.0), process, paths=2**14, steps=1)
    assert found.value == pytest.approx(exact, abs=6.0 * found.standard_error + 2e-4)


@pytest.mark.parametrize("rate", [-0.3, 0.3])
def test_two_barriers_in_one_step_pay_as_in_many(rate: float) -> None:
    process = GeometricBrownianMotion(100.0, rate, rate, 0.1)
    payoff = DoubleBarrier("call", "knock_out", 100.0, 85.0, 120.0, 1.0, rebate=10.0)
    once, often = (price(payoff, process, paths=2**14, steps=steps) for steps in (1, 256))
    assert once.value == pytest.approx(often.value, abs=6.0 * (once.standard_error + often.standard_error) + 5e-3)
