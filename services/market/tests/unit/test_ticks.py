import numpy as np
import pytest

from quantmesh.market.core.errors import InvalidTicks
from quantmesh.market.core.ticks import TickBatch, check_ticks

SERIES = {"AAPL": 1, "MSFT": 2}


def batch(**changes: list[int]) -> TickBatch:
    columns = {
        "symbol_index": [0, 1, 0],
        "time_micros": [100, 100, 200],
        "price": [500, 700, 501],
        "bid": [499, 699, 501],
        "ask": [501, 701, 501],
    } | changes
    index = np.array(columns.pop("symbol_index"), dtype=np.uint16)
    return TickBatch(
        "test", 1, ("AAPL", "MSFT"), index, **{name: np.array(v, dtype=np.int64) for name, v in columns.items()}
    )


def test_good_ticks_pass_under_their_series() -> None:
    checked = check_ticks(batch(), SERIES, 100, 200)
    assert (checked.rejected, checked.rejections) == (0, [])
    assert checked.series.tolist() == [1, 2, 1]
    assert checked.price.tolist() == [500, 700, 501]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"symbol_index": [0, 9, 0]}, "symbol"),
        ({"time_micros": [100, 99, 200]}, "time"),
        ({"time_micros": [100, 201, 200]}, "time"),
        ({"price": [500, 0, 501]}, "price"),
        ({"price": [500, -7, 501]}, "price"),
        ({"bid": [499, 0, 501]}, "bid"),
        ({"bid": [499, 702, 501]}, "bid"),
        ({"ask": [501, 698, 501]}, "ask"),
    ],
)
def test_a_bad_tick_is_refused_alone_with_its_place(changes: dict[str, list[int]], field: str) -> None:
    checked = check_ticks(batch(**changes), SERIES, 100, 200)
    assert checked.rejected == 1
    assert checked.price.tolist() == [500, 501]
    (rejection,) = checked.rejections
    assert (rejection.line, rejection.field) == (2, field)


def test_an_unknown_symbol_is_refused_by_name() -> None:
    (rejection,) = check_ticks(batch(), {"AAPL": 1}, 100, 200).rejections
    assert rejection.symbol == "MSFT"


def test_only_the_first_hundred_are_explained_and_all_are_counted() -> None:
    count = 1000
    columns = {"symbol_index": [0] * count, "time_micros": [100] * count, "bid": [1] * count, "ask": [1] * count}
    checked = check_ticks(batch(**columns, price=[0] * count), SERIES, 100, 200)
    assert (checked.rejected, len(checked.rejections), len(checked.series)) == (count, 100, 0)


@pytest.mark.parametrize("changes", [{"price": [1, 2]}, {"symbol_index": []}])
def test_columns_that_do_not_fit_together_are_refused_whole(changes: dict[str, list[int]]) -> None:
    with pytest.raises(InvalidTicks):
        batch(**changes)
