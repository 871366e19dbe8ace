from datetime import date

import numpy as np
import pytest

from quantmesh.market.core.common_closes import CloseSeries, CommonCloses, common_closes

FIRST = date(2020, 1, 1).toordinal()
NEVER = 2**62


def series(days: list[int], base: float) -> CloseSeries:
    """A close `base + day` on each of `days`, known at microsecond 10 * day."""
    offsets = np.array(days, dtype=np.int32)
    return CloseSeries(offsets + FIRST, offsets.astype(np.int64) * 10, (offsets + base).astype(np.float64))


def found(result: CommonCloses | None) -> tuple[list[int], list[list[float]], int]:
    assert result is not None
    return (result.days - FIRST).tolist(), result.closes.tolist(), result.known_from


def test_takes_the_days_that_all_have_in_the_asked_order() -> None:
    result = common_closes([series([1, 2, 3, 5], 100), series([2, 3, 4, 5], 200)], NEVER)
    assert found(result) == ([2, 3, 5], [[102, 103, 105], [202, 203, 205]], 50)


def test_sees_nothing_that_was_not_known() -> None:
    both = [series([1, 2, 3], 100), series([1, 2, 3], 200)]
    assert found(common_closes(both, 29)) == ([1, 2], [[101, 102], [201, 202]], 20)
    assert found(common_closes(both, 30))[0] == [1, 2, 3]
    assert common_closes(both, 9) is None


def test_the_last_observations_within_the_range() -> None:
    one = [series([1, 2, 3, 4, 5], 0)]
    end = date.fromordinal(FIRST + 4)
    assert found(common_closes(one, NEVER, observations=2, end=end))[0] == [3, 4]
    assert found(common_closes(one, NEVER, observations=9, start=date.fromordinal(FIRST + 2)))[0] == [2, 3, 4, 5]


def test_no_common_day_is_none() -> None:
    assert common_closes([series([1], 0), series([2], 0)], NEVER) is None
    assert common_closes([series([], 0)], NEVER) is None


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_sets(seed: int) -> None:
    random = np.random.default_rng(seed)
    chosen = [sorted(random.choice(60, 40, replace=False).tolist()) for _ in range(4)]
    days = sorted(set.intersection(*map(set, chosen)))
    result = common_closes([series(days_of_one, 0) for days_of_one in chosen], NEVER)
    assert found(result)[0] == days
