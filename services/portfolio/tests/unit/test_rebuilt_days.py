"""Days that are gathered window by window are those of one fold, and each row is looked at wherever it may be wrong."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.portfolio.core.held_days import by_quarter, changes
from quantmesh.portfolio.core.lots import FoldedLots, fold_lots
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.rebuilt_days import InstrumentQuarter, QuarterSpan, RebuiltDays, compared_at

from .test_held_days import movements_of

AAPL, MSFT = InstrumentQuarter("AAPL", date(2020, 1, 1)), InstrumentQuarter("MSFT", date(2020, 4, 1))
NEVER = 2**63 - 1


# Hours apart, so that some lie days, months, or quarters from each other.
@given(
    trades=st.lists(st.tuples(st.sampled_from([0, 1, 30, 900, 3000]), st.integers(-6, 9).filter(bool)), min_size=1),
    window=st.integers(1, 8),
    method=st.sampled_from(LotMethod),
)
def test_days_gathered_in_windows_are_those_of_one_fold(
    trades: list[tuple[int, int]], window: int, method: LotMethod
) -> None:
    movements = movements_of([(hours, units, 7 + units, False) for hours, units in trades])
    rebuilt = RebuiltDays()
    before: dict[str, FoldedLots] = {}
    for first in range(0, len(movements), window):
        before = fold_lots(movements[first : first + window], method, before)
        rebuilt = rebuilt.then(before["AAPL"].days)
    whole = by_quarter(fold_lots(movements, method)["AAPL"].days)
    assert rebuilt.quarters() == [*whole]
    last: list[object] = []
    for quarter, days in whole.items():
        assert changes(rebuilt.of(quarter)) == changes(days)
        assert [*rebuilt.last_before(quarter)] == last
        last = [days[-1]]
    assert rebuilt.of(date(1970, 1, 1)) == rebuilt.last_before(date(1970, 1, 1)) == ()


@pytest.mark.parametrize(
    ("from_number", "until_number", "compared"),
    [(4, 9, [2, 4, 8, 12]), (3, 10, [2, 4, 8, 12]), (1, NEVER, [2, 12]), (13, 14, [12]), (5, 6, [4, 8])],
)
def test_a_row_is_compared_on_both_sides_of_where_it_begins_and_ends(
    from_number: int, until_number: int, compared: list[int]
) -> None:
    numbers = [2, 4, 8, 12]
    spans = [QuarterSpan(AAPL, from_number, until_number), QuarterSpan(MSFT, 8, NEVER)]
    found = compared_at(spans, numbers)
    assert [number for number in numbers if AAPL in found[number]] == compared
    assert [number for number in numbers if MSFT in found[number]] == [4, 8, 12]
