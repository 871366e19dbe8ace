import numpy as np

from quantmesh.prediction.core.features import feature_table
from quantmesh.prediction.core.panel import CLOSES_NEEDED, WINDOW, Panel, stretch_starts

from .prices import random_walk

HORIZON = 5


def panel() -> Panel:
    return Panel.of([random_walk(500, 1, "AAA"), random_walk(400, 2, "BBB")], HORIZON)


def test_a_window_holds_the_sessions_up_to_its_own_and_of_one_symbol() -> None:
    rows = np.flatnonzero(panel().usable)
    table = feature_table(random_walk(400, 2, "BBB")).astype(np.float32)
    first_of_second = rows[rows >= 500][0]
    assert first_of_second == 500 + CLOSES_NEEDED - 1
    expected = table[CLOSES_NEEDED - WINDOW : CLOSES_NEEDED]
    np.testing.assert_array_equal(panel().windows(np.array([first_of_second]))[0], expected)


def test_no_outcome_crosses_from_one_symbol_into_the_next() -> None:
    made = panel()
    assert np.isnan(made.outcome[500 - HORIZON : 500]).all()
    assert not made.usable[500 - HORIZON : 500].any()


def test_training_rows_had_their_outcome_before_the_date() -> None:
    made = panel()
    date = made.date[450]
    rows = made.rows_known_before(date)
    assert (made.known_on[rows] < date).all()
    assert 450 - HORIZON - 1 in rows
    assert 450 - HORIZON not in rows


def test_scored_windows_do_not_overlap_and_share_nothing_with_training() -> None:
    made = panel()
    starts = stretch_starts(made, 3)
    learnt = made.rows_known_before(starts[1])
    scored = made.rows_between(starts[1], starts[2], HORIZON)
    assert made.known_on[learnt].max() < made.date[scored].min()
    of_first = scored[scored < 500]
    assert (np.diff(of_first) == HORIZON).all()
    assert (made.known_on[scored] < starts[2]).all()


def test_the_stretches_reach_to_the_last_known_outcome() -> None:
    made = panel()
    starts = stretch_starts(made, 4)
    assert len(starts) == 5
    assert starts[-1] > made.known_on[made.usable].max()
    assert made.date[made.usable].min() < starts[0]


def test_targets_are_outcomes_in_naive_units() -> None:
    made = panel()
    row = np.flatnonzero(made.usable)[:1]
    np.testing.assert_allclose(made.targets(row) * made.unit[row], made.outcome[row], rtol=1e-6)
