"""What simulations refuse, and what holds for them without any error: certain payoffs, and parity on every path."""

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from quantmesh.quant import monte_carlo
from quantmesh.quant.errors import DomainError
from quantmesh.quant.monte_carlo import (
    Asian,
    Autocallable,
    Barrier,
    Basket,
    BestOf,
    Cliquet,
    CorrelatedAssets,
    Digital,
    DoubleBarrier,
    European,
    GeometricBrownianMotion,
    Heston,
    LocalVolatility,
    Lookback,
    PiecewiseConstant,
    Spread,
    price,
)

PROCESS = GeometricBrownianMotion(100.0, 0.05, 0.02, 0.25)
PAIR = CorrelatedAssets((105.0, 100.0), 0.04, (0.01, 0.03), (0.3, 0.2), ((1.0, 0.5), (0.5, 1.0)))
SAMPLERS = ("sobol", "pseudo")


def test_knock_in_and_knock_out_make_the_vanilla_on_every_path() -> None:
    settings: Any = {"paths": 512, "steps": 8, "seed": 3, "control_variates": False}
    for sampler, monitoring, option_type in product(SAMPLERS, ("continuous", "discrete"), ("call", "put")):
        european: Any = European(option_type, 100.0, 1.0)  # type: ignore[arg-type]  # product() widens the literal
        vanilla = price(european, PROCESS, sampler=sampler, **settings).value
        for pair in (("down_and_in", "down_and_out", 90.0), ("up_and_in", "up_and_out", 112.0)):
            parts: Any = (Barrier(option_type, name, 100.0, pair[2], 1.0, monitoring=monitoring) for name in pair[:2])  # type: ignore[arg-type]
            total = sum(price(part, PROCESS, sampler=sampler, **settings).value for part in parts)
            assert total == pytest.approx(vanilla, rel=1e-13)


@pytest.mark.parametrize("quiet", [{"volatility": 0.0}, {"time_to_expiry": 0.0}])
def test_without_volatility_or_time_a_price_is_certain(quiet: dict[str, float]) -> None:
    time, volatility = quiet.get("time_to_expiry", 1.0), quiet.get("volatility", 0.25)
    process = GeometricBrownianMotion(100.0, 0.05, 0.02, volatility)
    forward, discount = 100.0 * math.exp(0.03 * time), math.exp(-0.05 * time)
    exact: dict[Any, float] = {
        European("call", 90.0, time): discount * (forward - 90.0),
        European("put", 90.0, time): 0.0,
        Asian("call", 90.0, time, observations=1): discount * (forward - 90.0),
        Barrier("call", "down_and_out", 90.0, 80.0, time): discount * (forward - 90.0),
        Barrier("call", "up_and_in", 90.0, 150.0, time, 2.0): discount * 2.0,
        DoubleBarrier("call", "knock_out", 90.0, 80.0, 150.0, time): discount * (forward - 90.0),
        Lookback("call", time): discount * (forward - 100.0),
        Digital("call", 90.0, time): discount,
    }
    for payoff, value in exact.items():
        for sampler in SAMPLERS:
            result = price(payoff, process, paths=64, steps=4, sampler=sampler)
            assert result.value == pytest.approx(value, abs=1e-11), payoff
            assert result.standard_error < 1e-11


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: price(European("call", 100, 1), PROCESS, paths=1), "paths"),
    (lambda: price(European("call", 100, 1), PROCESS, steps=0), "steps"),
    (lambda: price(European("call", 100, 1), PROCESS, sampler="halton"), "sampler"),
    (lambda: price(European("call", 100, 1), PROCESS, seed=-1), "seed"),
    (lambda: price(European("call", 100, 1), PROCESS, steps=30_000), "steps"),
    (lambda: price(Asian("call", 100, 1, observations=5), PROCESS, steps=12), "observations"),
    (lambda: price(Barrier("call", "down_and_out", 100, 100, 1), PROCESS), "barrier"),
    (lambda: price(Barrier("call", "up_and_in", 100, 90, 1), PROCESS), "barrier"),
    (lambda: price(DoubleBarrier("call", "knock_out", 100, 101, 120, 1), PROCESS), "lower_barrier"),
    (lambda: price(DoubleBarrier("call", "knock_in", 100, 80, 100, 1), PROCESS), "upper_barrier"),
    (lambda: price(Lookback("call", 1, 100, extreme=99), PROCESS), "extreme"),
    (lambda: price(European("call", 100, 1), PAIR), "process"),
    (lambda: price(Spread("call", 100, 1), PROCESS), "process"),
    (lambda: price(BestOf("call", 100, 1), PROCESS), "process"),
    (lambda: price(Basket("call", 100, 1, (1.0,)), PAIR), "weights"),
    (lambda: price(Autocallable(4, 1, 0.1, initial_spots=(1.0, 2.0)), PROCESS, steps=4), "initial_spots"),
    (lambda: price(European("call", 100, 50), GeometricBrownianMotion(100, 10.0, 0, 0.2)), "rate"),
    (lambda: European("straddle", 100, 1), "option_type"),  # type: ignore[arg-type]
    (lambda: European("call", math.nan, 1), "strike"),
    (lambda: European("call", 100, -1), "time_to_expiry"),
    (lambda: Asian("call", 100, 1, "harmonic"), "averaging"),  # type: ignore[arg-type]
    (lambda: Barrier("call", "in", 100, 90, 1), "barrier_type"),  # type: ignore[arg-type]
    (lambda: Barrier("call", "up_and_in", 100, 190, 1, -1), "rebate"),
    (lambda: Barrier("call", "up_and_in", 100, 190, 1, observations=5), "observations"),
    (lambda: Cliquet(4, 1, local_floor=0.1, local_cap=0.05), "local_cap"),
    (lambda: GeometricBrownianMotion(0.0, 0, 0, 0.2), "spot"),
    (lambda: GeometricBrownianMotion(100, 0, 0, PiecewiseConstant((1.0,), (0.2, -0.1))), "volatility"),
    (lambda: PiecewiseConstant((1.0,), (0.2,)), "values"),
    (lambda: PiecewiseConstant((1.0, 0.5), (0.2, 0.2, 0.2)), "times"),
    (lambda: Heston(100, 0, 0, 0.04, 1, 0.04, 0.5, -1.5), "rho"),
    (lambda: Heston(100, 0, 0, -0.04, 1, 0.04, 0.5, 0), "v0"),
    (lambda: LocalVolatility(100, 0, 0, (0.0,), (100.0, 90.0), ((0.2, 0.2),)), "spots"),
    (lambda: LocalVolatility(100, 0, 0, (0.0,), (100.0,), ((0.2, 0.2),)), "volatilities"),
    (lambda: LocalVolatility(100, 0, 0, (0.0,), (100.0,), ((-0.2,),)), "volatilities[0][0]"),
    (lambda: CorrelatedAssets((1.0, 1.0), 0, (0, 0), (0.2,), ((1, 0), (0, 1))), "volatilities"),
    (lambda: CorrelatedAssets((1.0, 1.0), 0, (0, 0), (0.2, 0.2), ((1, 1.1), (1.1, 1))), "correlation[0][1]"),
    (lambda: CorrelatedAssets((1.0, 1.0), 0, (0, 0), (0.2, 0.2), ((1, 0.5), (0.4, 1))), "correlation[0][1]"),
    (lambda: CorrelatedAssets((1.0, 1.0), 0, (0, 0), (0.2, 0.2), ((0.9, 0.5), (0.5, 1))), "correlation[0][0]"),
]


@pytest.mark.parametrize(("call", "argument"), BAD, ids=[f"{name}-{index}" for index, (_, name) in enumerate(BAD)])
def test_arguments_outside_their_domain_are_named(call: Callable[[], Any], argument: str) -> None:
    with pytest.raises(DomainError) as caught:
        call()
    assert caught.value.argument == argument


def test_a_correlation_matrix_must_be_semidefinite() -> None:
    rows = ((1.0, 0.9, -0.9), (0.9, 1.0, 0.9), (-0.9, 0.9, 1.0))
    with pytest.raises(DomainError, match=r"correlation must be a positive semidefinite matrix, got .*-0\.8"):
        CorrelatedAssets((1.0,) * 3, 0.0, (0.0,) * 3, (0.2,) * 3, rows)


@pytest.mark.parametrize("volatility", [0.2, 1e-3, 1e-9])
def test_assets_that_cancel_each_other_leave_a_price(volatility: float) -> None:
    """Their geometric basket has no variance but that of rounding, below zero as often as above."""
    opposed = ((1.0, -1.0), (-1.0, 1.0))
    for spot in range(60, 140, 7):
        pair = CorrelatedAssets((100.0, spot), 0.03, (0.0, 0.0), (volatility, 0.5 * volatility), opposed)
        found = price(Basket("call", 50.0, 1.0, (1.0, 200.0 / spot)), pair, paths=1_024, steps=1)
        assert found.value == pytest.approx(300.0 - 50.0 * math.exp(-0.03), rel=1e-10)


def test_every_payoff_and_process_has_its_name() -> None:
    for name, kind in (monte_carlo.PAYOFFS | monte_carlo.PROCESSES).items():
        assert kind.__name__ == name.title().replace("_", "")
        assert getattr(monte_carlo, kind.__name__) is kind


@pytest.mark.parametrize(
    ("payoff", "process", "steps", "message"),
    [
        (Spread("call", 1.0, 1.0), PROCESS, 8, "process must be"),
        (European("call", 100.0, 1.0), PAIR, 8, "process must be one of a single asset"),
        (
            Asian("call", 100.0, 1.0, observations=3),
            PROCESS,
            8,
            "observations must be a positive divisor of the 8 steps",
        ),
        (European("call", 100.0, 1e5), PROCESS, 8, "rate must be at most 400"),
        (European("call", 100.0, 1.0), PROCESS, 0, "steps must be"),
    ],
)
def test_what_does_not_fit_together_is_refused_without_a_path(
    payoff: Any, process: Any, steps: int, message: str
) -> None:
    with pytest.raises(DomainError, match=message):
        monte_carlo.check(payoff, process, paths=2**40, steps=steps)
    with pytest.raises(DomainError, match=message):
        price(payoff, process, paths=2, steps=steps)
    monte_carlo.check(European("call", 100.0, 1.0), PROCESS, paths=2**40, steps=8)


def test_whole_numbers_in_a_correlation_are_numbers() -> None:
    whole, real = (
        CorrelatedAssets((100.0, 90.0), 0.03, (0.0, 0.0), (0.2, 0.3), correlation)
        for correlation in (((1, 0), (0, 1)), ((1.0, 0.0), (0.0, 1.0)))
    )
    payoff = Spread("call", 0.0, 1.0)
    assert price(payoff, whole, paths=1_024, steps=1).value == price(payoff, real, paths=1_024, steps=1).value
