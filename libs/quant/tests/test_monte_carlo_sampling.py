"""Random numbers, their order and their honesty: Sobol points, quantiles, twins, threads, standard errors."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.stats import kstest, qmc

from quantmesh.quant import _normal_pairs as pairs
from quantmesh.quant import _normal_quantile as quantiles
from quantmesh.quant import _threads, black_scholes
from quantmesh.quant.exotics import barriers
from quantmesh.quant.monte_carlo import Asian, Barrier, European, GeometricBrownianMotion, Heston, Lookback, price
from quantmesh.quant.monte_carlo import _moments_kernels as moments_kernels
from quantmesh.quant.monte_carlo import _pseudo_random_kernels as pseudo
from quantmesh.quant.monte_carlo import _sobol_kernels as sobol
from quantmesh.quant.monte_carlo import _tiles as tiles
from quantmesh.quant.monte_carlo._sampling import PseudoRandom, Shape, Sobol
from quantmesh.quant.monte_carlo._simulation import shape_of
from quantmesh.quant.monte_carlo._sobol import bridge, direction_numbers

PROCESS = GeometricBrownianMotion(100.0, 0.05, 0.02, 0.25)
ROW = np.zeros(1, np.int64)


def single(steps: int) -> Shape:
    return shape_of(PROCESS, steps, needs_variance=False, needs_normals=False, uniforms=0)


def test_direction_numbers_give_the_points_of_joe_and_kuo() -> None:
    dimensions, bits = 700, 7
    numbers = direction_numbers(dimensions, bits)
    points = np.zeros((2**bits, dimensions), np.uint64)
    for point, bit in np.ndindex(2**bits, bits):
        if (point ^ (point >> 1)) >> bit & 1:
            points[point] ^= numbers[:, bit]
    oracle = qmc.Sobol(dimensions, scramble=False, bits=52).random(2**bits)
    np.testing.assert_array_equal(points.astype(np.float64) / 2.0**64, oracle)


def test_every_replication_keeps_the_balance_of_the_net() -> None:
    # One step and one factor: of 64 scrambled points one lies in each 64th of the unit interval.
    shape = single(1)
    sampler = Sobol(shape, 1_024, seed=5, antithetic=False)
    assert (sampler.replications, sampler.paths) == (16, 1_024)
    block = np.empty((1, 1, 1_024))
    sampler.fill(0, block)
    from scipy.special import ndtr

    for replication in ndtr(block.reshape(16, 64)):
        assert sorted(np.floor(64 * replication)) == list(range(64))


def test_the_bridge_makes_independent_increments() -> None:
    for steps in (1, 2, 7, 12):
        indices, weights = bridge(steps)
        motion = np.zeros((steps, steps))
        for level in range(steps):
            node, left, right = indices[level]
            motion[node, level] = weights[level, 2]
            for neighbour, weight in ((left, weights[level, 0]), (right, weights[level, 1])):
                if neighbour >= 0:
                    motion[node] += weight * motion[neighbour]
        increments = np.diff(motion, axis=0, prepend=0.0)
        np.testing.assert_allclose(increments @ increments.T, np.eye(steps), atol=1e-14)
        assert indices[0, 0] == steps - 1


def test_the_quantile_is_right_from_the_centre_to_the_last_bit_of_the_tails() -> None:
    with mpmath.workdps(40):
        for u in (2.0**-53, 1e-12, 1e-5, 0.02, 0.3, 0.5 - 2.0**-30, 0.7, 0.999, 1 - 2.0**-53):
            exact = mpmath.findroot(lambda z, u=u: mpmath.ncdf(z) - u, quantiles.normal_quantile(u))
            assert quantiles.normal_quantile(u) == pytest.approx(float(exact), rel=2e-10)
    assert quantiles.normal_quantile(0.5) == 0.0


def test_directions_go_once_around_the_unit_circle() -> None:
    uniforms = (np.arange(4_096) + 0.5) / 4_096
    across, up = np.array([pairs.direction(u) for u in uniforms]).T
    np.testing.assert_allclose(np.hypot(across, up), 1.0, rtol=1e-13)
    turns = np.sort(np.arctan2(up, across) / (2.0 * np.pi) % 1.0)
    np.testing.assert_allclose(turns, uniforms, atol=1e-13)


def test_distances_of_pairs_are_right_from_the_centre_to_the_last_bit_of_the_tails() -> None:
    for u in (2.0**-53, 1e-9, 0.1, 0.5, 0.9, 1 - 2.0**-30, 1 - 2.0**-53):
        assert pairs.distance(u) == pytest.approx(float(mpmath.sqrt(-2 * mpmath.log(u))), rel=2e-10)


def test_pseudo_random_pairs_have_every_direction_at_every_distance() -> None:
    block = np.empty((1, 1, 1 << 16))
    PseudoRandom(single(1), 1 << 16, 5, False).fill(0, block)
    half = tiles.TILE // 2
    first, second = block.reshape(-1, 2, half).swapaxes(0, 1).reshape(2, -1)
    turns, distances = np.arctan2(second, first) / (2.0 * np.pi) % 1.0, 0.5 * (first**2 + second**2)
    for near in (distances < np.log(2.0), distances > np.log(2.0)):
        assert kstest(turns[near], "uniform").pvalue > 1e-4
    assert kstest(distances, "expon").pvalue > 1e-4


def test_kernels_agree_with_their_python_twins() -> None:
    with np.errstate(over="ignore"):
        for antithetic in (False, True):
            ours, twin = np.empty((2, 3, 70)), np.empty((2, 3, 70))
            rows = np.array([0, 2], np.int64)
            ours[:], twin[:] = -1.0, -1.0
            arguments: Any = (rows, 1, np.uint64(9), 4, antithetic)
            pseudo.fill(ours, *arguments)
            with pytest.MonkeyPatch.context() as patch:
                use_twins(patch)
                pseudo._fill(twin, *arguments)
            np.testing.assert_allclose(ours, twin, rtol=1e-9, atol=1e-13)
        ours, twin = np.empty((3, 2, 16)), np.empty((3, 2, 16))
        rows = np.array([0, 1], np.int64)
        arguments = (rows, 1, np.uint64(9), True, direction_numbers(6, 3), 2, 0, 4, *bridge(3))
        sobol.fill(ours, *arguments)
        with pytest.MonkeyPatch.context() as patch:
            use_twins(patch)
            sobol._fill(twin, *arguments)
        np.testing.assert_allclose(ours, twin, rtol=1e-9, atol=1e-13)
    values = np.random.default_rng(1).normal(size=(3, 12))
    results = []
    for moments in (moments_kernels.moments, moments_kernels._moments):
        means, comoments = np.empty((2, 3)), np.empty((2, 3, 3))
        moments(values.copy(), 6, False, means, comoments)
        results.append((means, comoments))
    for ours, twin in zip(*results, strict=True):
        np.testing.assert_allclose(ours, twin, atol=1e-13)
    np.testing.assert_allclose(results[0][1][1], 5 * np.cov(values[:, 6:]), atol=1e-13)


def use_twins(patch: pytest.MonkeyPatch) -> None:
    """A twin calls the functions by the names of their kernels."""
    shared = ("mix", "key_of", "put", "mirror")
    for module, own in (
        (tiles, ()),
        (pseudo, ("following", "draw", "to_normal_pairs")),
        (sobol, ("scramble", "combination", "first_points", "connect", "difference", "to_normals")),
    ):
        for name in shared:
            patch.setattr(module, name, getattr(tiles, f"_{name}"))
        for name in own:
            patch.setattr(module, name, getattr(module, f"_{name}"))
    for module in (tiles, sobol):
        patch.setattr(module, "unsigned", int)


@pytest.mark.parametrize("sampler", ["sobol", "pseudo"])
def test_numbers_are_normal_and_independent(sampler: str) -> None:
    shape = single(8)
    source: Any = PseudoRandom(shape, 8_192, 3, False) if sampler == "pseudo" else Sobol(shape, 8_192, 3, False)
    groups, points = source.groups(0)
    block = np.empty((8, 1, groups * points))
    source.fill(0, block)
    normals = block[:, 0]
    assert kstest(normals.ravel()[::3], "norm").pvalue > 1e-4
    correlations = np.corrcoef(normals) - np.eye(8)
    assert np.abs(correlations).max() < 0.06
    assert np.abs(normals.mean(axis=1)).max() < 0.05


def test_antithetic_paths_mirror_one_another() -> None:
    block = np.empty((3, 1, 128))
    for source in (PseudoRandom(single(3), 128, 1, True), Sobol(single(3), 128, 1, True)):
        source.fill(0, block)
        np.testing.assert_array_equal(block[:, :, 64:], -block[:, :, :64])


@pytest.mark.parametrize("sampler", ["sobol", "pseudo"])
def test_a_seed_gives_one_answer_to_the_last_bit_for_any_number_of_threads(sampler: str) -> None:
    payoffs: Any = (Asian("call", 100.0, 1.0), Lookback("put", 1.0), Barrier("call", "up_and_in", 100.0, 120.0, 1.0))
    settings: Any = {"paths": 20_000, "steps": 24, "sampler": sampler}

    def values(seed: int) -> list[tuple[float, float]]:
        found = (price(payoff, PROCESS, seed=seed, **settings) for payoff in payoffs)
        return [(result.value, result.standard_error) for result in found]

    once = values(11)
    for threads in (1, 5):
        with ThreadPoolExecutor(threads) as pool, pytest.MonkeyPatch.context() as patch:
            patch.setattr(_threads, "_pool", lambda pool=pool: pool)
            patch.setattr(_threads, "thread_count", lambda threads=threads: threads)
            assert values(11) == once
    assert values(12) != once


@pytest.mark.parametrize("control_variates", [True, False])
@pytest.mark.parametrize("sampler", ["sobol", "pseudo"])
def test_standard_errors_cover_the_truth_as_often_as_they_say(sampler: str, control_variates: bool) -> None:
    exact = float(barriers.price("call", "down_and_out", 100.0, 102.0, 90.0, 0.0, 1.0, 0.05, 0.02, 0.25))
    payoff = Barrier("call", "down_and_out", 102.0, 90.0, 1.0)
    settings: Any = {"paths": 512, "steps": 4, "sampler": sampler, "control_variates": control_variates}
    results = [price(payoff, PROCESS, seed=seed, **settings) for seed in range(200)]
    scores = np.array([(result.value - exact) / result.standard_error for result in results])
    # Of a normal 95% lie within 1.96, of Student's law with 15 degrees of freedom within 2.13.
    assert 0.89 < np.mean(np.abs(scores) < (2.13 if sampler == "sobol" else 1.96)) < 0.99
    assert abs(scores.mean()) < 0.3
    spread = np.std([result.value for result in results])
    assert np.mean([result.standard_error for result in results]) == pytest.approx(spread, rel=0.2)


def test_sobol_beats_independent_paths_and_controls_help() -> None:
    asian = Asian("call", 100.0, 1.0)
    errors = {
        (sampler, controls): price(
            asian, PROCESS, paths=16_384, steps=32, sampler=sampler, control_variates=controls
        ).standard_error
        for sampler in ("sobol", "pseudo")
        for controls in (True, False)
    }
    assert errors["sobol", False] < 0.2 * errors["pseudo", False]
    assert errors["sobol", True] < 0.7 * errors["pseudo", True]
    assert errors["pseudo", True] < 0.1 * errors["pseudo", False]


def test_paths_are_rounded_up_a_little_and_counted() -> None:
    for asked in (2, 17, 1_000, 4_097, 20_000):
        result = price(European("call", 100.0, 1.0), PROCESS, paths=asked, steps=1)
        assert result.replications is not None
        assert 16 <= result.replications <= 32
        assert max(asked, 32) <= result.paths <= max(asked * 17 / 16, 64)
    odd = price(European("call", 100.0, 1.0), PROCESS, paths=4_097, steps=1, sampler="pseudo")
    assert (odd.paths, odd.replications) == (4_098, None)


def test_many_steps_and_paths_pass_in_small_memory() -> None:
    shape = single(252)
    assert shape.steps * shape.rows * shape.columns * 8 <= 2**21
    wide = shape_of(
        Heston(100, 0, 0, 0.04, 1, 0.04, 0.5, 0), 50_000, needs_variance=True, needs_normals=False, uniforms=1
    )
    assert wide.columns == 16


def test_progress_is_told_and_may_stop_the_work() -> None:
    seen: list[float] = []
    price(European("call", 100.0, 1.0), PROCESS, paths=50_000, steps=16, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 2

    class Stopped(Exception):
        pass

    def stop(fraction: float) -> None:
        seen.append(fraction)
        raise Stopped

    seen.clear()
    with pytest.raises(Stopped):
        price(European("call", 100.0, 1.0), PROCESS, paths=50_000, steps=16, progress=stop)
    assert len(seen) == 1


def test_large_seeds_and_single_paths_work() -> None:
    result = price(European("call", 100.0, 1.0), PROCESS, paths=2, steps=1, seed=2**64 - 1)
    exact = float(black_scholes.price("call", 100.0, 100.0, 1.0, 0.05, 0.02, 0.25))
    assert abs(result.value - exact) < 6 * result.standard_error
    assert sys.float_info.min < result.standard_error < exact
