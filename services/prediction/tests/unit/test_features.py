import numpy as np
import pytest

from quantmesh.prediction.core.features import FEATURES, LOOKBACK, Floats, daily_volatility, feature_table
from quantmesh.prediction.core.model import Closes
from quantmesh.prediction.core.panel import CLOSES_NEEDED, WINDOW, latest_window

from .prices import first, last, random_walk


def column(table: Floats, name: str) -> Floats:
    return table[:, FEATURES.index(name)]


def test_changing_the_future_never_changes_a_feature() -> None:
    series = random_walk(600)
    whole = feature_table(series)
    for today in (LOOKBACK, 400, 599):
        crashed = series.closes.copy()
        crashed[today:] *= np.linspace(0.5, 3.0, 600 - today)
        np.testing.assert_array_equal(feature_table(Closes("AAA", series.dates, crashed))[:today], whole[:today])
        np.testing.assert_array_equal(feature_table(first(series, today)), whole[:today])


def test_a_feature_does_not_depend_on_where_the_series_begins() -> None:
    series = random_walk(900)
    np.testing.assert_allclose(latest_window(last(series, CLOSES_NEEDED)), latest_window(series), rtol=1e-5, atol=1e-6)


def test_features_do_not_depend_on_the_currency_of_the_price() -> None:
    series = random_walk(400)
    in_cents = Closes("AAA", series.dates, series.closes * 100.0)
    np.testing.assert_allclose(feature_table(in_cents), feature_table(series), atol=1e-9)


def test_rows_without_a_year_behind_them_are_missing_and_all_others_finite() -> None:
    table = feature_table(random_walk(400))
    assert np.isnan(table[: LOOKBACK - 1]).all()
    assert np.isfinite(table[LOOKBACK - 1 :]).all()


def test_volatility_of_a_long_walk_is_the_one_it_was_made_with() -> None:
    estimates = daily_volatility(random_walk(20_000, volatility=0.02).closes)
    assert np.sqrt(np.nanmean(estimates**2)) == pytest.approx(0.02, rel=0.02)


def test_one_day_return_is_the_days_move_in_units_of_its_volatility() -> None:
    series = random_walk(400)
    moved = np.log(series.closes[300] / series.closes[299])
    expected = moved / daily_volatility(series.closes)[300]
    assert column(feature_table(series), "return_1")[300] == pytest.approx(expected)


def test_a_price_that_only_rises_has_full_relative_strength_and_no_drawdown() -> None:
    rising = random_walk(400)
    series = Closes("AAA", rising.dates, np.geomspace(100.0, 150.0, 400))
    table = feature_table(series)[LOOKBACK:]
    np.testing.assert_allclose(column(table, "relative_strength_14"), 1.0)
    np.testing.assert_allclose(column(table, "drawdown_252"), 0.0)


def test_a_price_that_never_moves_gives_finite_features() -> None:
    still = random_walk(400)
    table = feature_table(Closes("AAA", still.dates, np.full(400, 7.0)))
    assert np.isfinite(table[LOOKBACK:]).all()


def test_monday_is_where_the_weekday_begins() -> None:
    series = random_walk(300)  # the first session, 2000-01-03, was a Monday
    table = feature_table(series)
    monday = 260
    assert series.dates[monday] == np.datetime64("2001-01-01")
    assert column(table, "weekday_sine")[monday] == pytest.approx(0.0)
    assert column(table, "weekday_cosine")[monday] == pytest.approx(1.0)


def test_too_short_a_series_is_refused() -> None:
    with pytest.raises(ValueError, match="look back over 253 closes, got 252"):
        feature_table(random_walk(LOOKBACK - 1))


def test_a_window_ends_at_the_last_close() -> None:
    series = random_walk(CLOSES_NEEDED)
    window = latest_window(series)
    assert window.shape == (1, WINDOW, len(FEATURES))
    assert np.isfinite(window).all()


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_closes_that_are_no_prices_are_refused(bad: float) -> None:
    series = random_walk(10)
    closes = series.closes.copy()
    closes[3] = bad
    with pytest.raises(ValueError, match="not a positive number"):
        Closes("AAA", series.dates, closes)


def test_dates_out_of_order_are_refused() -> None:
    series = random_walk(10)
    with pytest.raises(ValueError, match="do not increase"):
        Closes("AAA", series.dates[::-1], series.closes)
