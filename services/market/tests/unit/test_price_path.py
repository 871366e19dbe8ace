from datetime import date

import numpy as np
import pytest

from quantmesh.market.core.price_path import session_path, volatility_daily

DAY = date(2022, 10, 3)


def test_begins_at_the_previous_close_and_ends_at_the_close_exactly() -> None:
    path = session_path("AAPL", DAY, 137.654, 141.884, 0.02, 23_400)
    assert len(path) == 23_401
    assert (path[0], path[-1]) == (137.654, 141.884)
    assert (path > 0).all()


def test_repeats_itself_for_a_symbol_and_session_and_differs_for_others() -> None:
    path = session_path("AAPL", DAY, 100, 101, 0.02, 390)
    assert np.array_equal(path, session_path("AAPL", DAY, 100, 101, 0.02, 390))
    assert not np.array_equal(path, session_path("MSFT", DAY, 100, 101, 0.02, 390))
    assert not np.array_equal(path, session_path("AAPL", date(2022, 10, 4), 100, 101, 0.02, 390))


def test_moves_as_much_as_asked() -> None:
    steps = [np.diff(np.log(session_path(f"S{n}", DAY, 100, 100, 0.02, 23_400))) for n in range(20)]
    realised = np.sqrt([np.sum(step**2) for step in steps]).mean()
    assert realised == pytest.approx(0.02 * np.sqrt(0.7), rel=0.01)


def test_scales_with_the_prices() -> None:
    path = session_path("AAPL", DAY, 100, 103, 0.02, 390)
    assert session_path("AAPL", DAY, 10, 10.3, 0.02, 390) * 10 == pytest.approx(path, rel=1e-12)


@pytest.mark.parametrize("arguments", [(0.0, 1.0, 390), (1.0, -1.0, 390), (1.0, 1.0, 0)])
def test_refuses_what_has_no_path(arguments: tuple[float, float, int]) -> None:
    previous, close, seconds = arguments
    with pytest.raises(ValueError, match="no path"):
        session_path("AAPL", DAY, previous, close, 0.02, seconds)


def test_volatility_is_that_of_log_returns_within_bounds() -> None:
    closes = [100.0, 102.0, 101.0, 104.0]
    assert volatility_daily(closes) == pytest.approx(np.std(np.diff(np.log(closes)), ddof=1))
    assert volatility_daily([100.0]) == volatility_daily([100.0, 100.0, 100.0]) == 0.002
    assert volatility_daily([1.0, 100.0, 1.0]) == 0.08
