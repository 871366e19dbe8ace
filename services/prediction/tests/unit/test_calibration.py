import numpy as np
import pytest

from quantmesh.prediction.core.calibration import FEWEST_SCORES, KEPT_SCORES, Calibration
from quantmesh.prediction.core.model import INTERVAL_CONFIDENCE, ReturnForecast


def test_intervals_hold_what_they_promise_on_data_not_seen() -> None:
    """Over many small calibrations, since the promise is an average over them; errors are skewed and fat-tailed."""
    random = np.random.default_rng(3)
    held = []
    for _ in range(2000):
        errors = random.standard_t(3, 40) + 0.3 * random.exponential(1.0, 40)
        lower, upper = Calibration.of(errors[:39]).bounds()
        held.append(lower <= errors[39] <= upper)
    assert np.mean(held) == pytest.approx(INTERVAL_CONFIDENCE, abs=0.02)


def test_the_fewest_scores_give_their_extremes() -> None:
    errors = np.linspace(-1.0, 2.0, FEWEST_SCORES)
    assert Calibration.of(errors).bounds() == (-1.0, 2.0)
    with pytest.raises(ValueError, match="needs"):
        Calibration.of(errors[1:])


def test_thinning_keeps_the_quantiles() -> None:
    errors = np.random.default_rng(5).standard_normal(50_000)
    thinned = Calibration.of(errors)
    assert len(thinned.scores) == KEPT_SCORES
    assert thinned.bounds() == pytest.approx(tuple(np.quantile(errors, [0.05, 0.95])), abs=0.01)


def test_an_interval_scales_and_moves_with_its_forecast() -> None:
    calibration = Calibration.of(np.linspace(-2.0, 2.0, 199))
    lower, upper = calibration.bounds()
    assert calibration.interval(ReturnForecast(0.01, 0.1)) == pytest.approx((0.01 + 0.1 * lower, 0.01 + 0.1 * upper))


def test_an_interval_always_holds_the_forecast_itself() -> None:
    lower, upper = Calibration.of(np.linspace(1.0, 2.0, 99)).interval(ReturnForecast(0.0, 1.0))
    assert lower == 0.0 < upper


def test_probability_up_is_the_share_of_errors_that_leave_the_return_above_zero() -> None:
    calibration = Calibration.of(np.linspace(-1.0, 1.0, 199))
    assert calibration.probability_up(ReturnForecast(0.0, 1.0)) == pytest.approx(0.5, abs=0.01)
    assert calibration.probability_up(ReturnForecast(0.5, 1.0)) == pytest.approx(0.75, abs=0.01)
    assert 0.0 < calibration.probability_up(ReturnForecast(-9.0, 1.0)) < 0.01


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        Calibration.of(np.full(50, np.nan))
