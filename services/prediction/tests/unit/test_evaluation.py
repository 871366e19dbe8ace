import numpy as np
import pytest

from quantmesh.prediction.core.evaluation import Scored, walk_forward


def stretch(first_day: int, location: np.ndarray, outcome: np.ndarray, horizon: int = 0) -> Scored:
    days = np.datetime64("2000-01-01") + np.arange(first_day, first_day + len(outcome))
    return Scored(days, days + horizon, location, np.ones(len(outcome)), outcome)


def test_skill_is_the_share_of_the_naive_squared_error_that_is_gone() -> None:
    outcome = np.random.default_rng(0).standard_normal(400)
    skill, _ = walk_forward(
        [stretch(0, outcome[:100] * 0, outcome[:100]), stretch(100, outcome[100:] / 2, outcome[100:])]
    )
    assert skill.naive_rmse == pytest.approx(np.sqrt(np.mean(outcome[100:] ** 2)))
    assert skill.rmse == pytest.approx(skill.naive_rmse / 2)
    assert skill.skill == pytest.approx(0.75)
    assert skill.beats_naive
    assert skill.directional_accuracy == 1.0
    assert skill.windows == 300


def test_the_naive_forecast_has_no_skill_and_half_the_directions() -> None:
    outcome = np.random.default_rng(0).standard_normal(300)
    skill, _ = walk_forward([stretch(start, np.zeros(100), outcome[start : start + 100]) for start in (0, 100, 200)])
    assert skill.skill == 0.0
    assert not skill.beats_naive
    assert skill.directional_accuracy == 0.5


def test_a_worse_forecast_than_naive_says_so() -> None:
    outcome = np.random.default_rng(0).standard_normal(200)
    skill, _ = walk_forward([stretch(0, -outcome[:100], outcome[:100]), stretch(100, -outcome[100:], outcome[100:])])
    assert skill.skill == pytest.approx(-3.0)
    assert not skill.beats_naive


def test_coverage_comes_from_errors_seen_before() -> None:
    random = np.random.default_rng(1)
    calm, wild = random.standard_normal(500), 10.0 * random.standard_normal(500)
    surprised, _ = walk_forward([stretch(0, np.zeros(500), calm), stretch(500, np.zeros(500), wild)])
    prepared, _ = walk_forward([stretch(0, np.zeros(500), wild), stretch(500, np.zeros(500), calm)])
    assert surprised.interval_coverage < 0.3
    assert prepared.interval_coverage == 1.0


def test_errors_not_yet_known_do_not_calibrate() -> None:
    """The last outcomes of the first stretch are known only in the second, and are absurd: they must not widen it."""
    outcome = np.random.default_rng(2).standard_normal(200)
    absurd = outcome.copy()
    absurd[70:100] = 1000.0
    first = stretch(0, np.zeros(100), absurd[:100], horizon=31)
    skill, _ = walk_forward([first, stretch(100, np.zeros(100), outcome[100:])])
    assert skill.interval_coverage < 1.0


def test_calibration_is_of_all_stretches() -> None:
    outcome = np.linspace(-1.0, 1.0, 200)
    _, calibration = walk_forward(
        [stretch(0, np.zeros(100), outcome[:100]), stretch(100, np.zeros(100), outcome[100:])]
    )
    np.testing.assert_array_equal(calibration.scores, outcome)
