import numpy as np
import pytest

from quantmesh.prediction.core.errors import HistoryTooShort
from quantmesh.prediction.core.naive import closes_needed, forecast_naively

from .prices import first, random_walk


@pytest.mark.parametrize("horizon", [1, 5, 21, 63])
def test_expects_the_price_to_stay_with_a_scale_that_grows_as_the_root_of_time(horizon: int) -> None:
    prediction = forecast_naively(random_walk(2520, volatility=0.01), horizon, "why")
    assert prediction.expected.location == 0.0
    assert prediction.expected.scale == pytest.approx(0.01 * np.sqrt(horizon), rel=0.25)
    assert (prediction.model, prediction.note) == ("naive", "why")


def test_its_intervals_hold_nine_in_ten_out_of_sample() -> None:
    skill = forecast_naively(random_walk(5000, seed=4), 1, "").skill
    assert skill.interval_coverage == pytest.approx(0.9, abs=0.02)
    assert skill.windows > 3000


def test_has_no_skill_over_itself() -> None:
    skill = forecast_naively(random_walk(1000), 5, "").skill
    assert skill.rmse == skill.naive_rmse
    assert skill.skill == 0.0


@pytest.mark.parametrize("horizon", [1, 91])
def test_refuses_too_short_a_history_and_names_what_it_needs(horizon: int) -> None:
    needed = closes_needed(horizon)
    series = random_walk(needed)
    assert forecast_naively(series, horizon, "").expected.scale > 0.0
    with pytest.raises(HistoryTooShort, match=f"AAA has {needed - 1} known closes, a forecast needs {needed}"):
        forecast_naively(first(series, needed - 1), horizon, "")
