"""Columns of exact decimals against the same decimals one by one, also where 64 bits do not hold them."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.portfolio.adapters.store.packing import packed, unpacked, unpacked_in_turn
from quantmesh.portfolio.core.numbers import EXACT, plain
from quantmesh.portfolio.core.scaled import Scaled, integers, joined, published, scaled, total, written

# From what a byte holds to what needs more than 64 bits, with up to 18 places.
_amounts = st.builds(
    lambda units, places: Decimal(units).scaleb(-places, EXACT),
    st.one_of(st.integers(-100, 100), st.integers(-(10**10), 10**10), st.integers(-(10**33), 10**33)),
    st.integers(0, 18),
)
_rows = st.lists(_amounts, min_size=1, max_size=12)
_pairs = st.lists(st.tuples(_amounts, _amounts), min_size=1, max_size=12)


@given(pairs=_pairs)
def test_sums_differences_and_products_are_those_of_decimals(pairs: list[tuple[Decimal, Decimal]]) -> None:
    mine, its = (scaled(column) for column in zip(*pairs, strict=True))
    assert (mine + its).decimals() == [EXACT.add(a, b) for a, b in pairs]
    assert (mine - its).decimals() == [EXACT.subtract(a, b) for a, b in pairs]
    assert (mine * its).decimals() == [EXACT.multiply(a, b) for a, b in pairs]


@given(row=_rows)
def test_a_row_sums_and_changes_as_its_decimals(row: list[Decimal]) -> None:
    column = scaled(row)
    assert column.decimals() == row
    sums = [*accumulate(row, EXACT.add)]
    assert total([column, column]) == EXACT.multiply(sums[-1], Decimal(2))
    assert scaled(sums).changes().decimals() == row
    assert column.accumulated().decimals() == sums
    assert written([plain(amount) for amount in row]).decimals() == row
    assert column.taken(np.array([-1, 0, len(row) - 1])).decimals() == [0, row[0], row[-1]]


@given(pairs=_pairs)
def test_amounts_are_put_and_added_where_they_belong(pairs: list[tuple[Decimal, Decimal]]) -> None:
    mine, its = (scaled(column) for column in zip(*pairs, strict=True))
    chosen = np.arange(len(pairs)) % 2 == 0
    assert mine.where(chosen, its).decimals() == [
        a if place else b for place, (a, b) in zip(chosen.tolist(), pairs, strict=True)
    ]
    added = mine.added_at(slice(1, None), its[1:]).decimals()
    assert added == [pairs[0][0], *(EXACT.add(a, b) for a, b in pairs[1:])]
    assert mine.decimals() == [a for a, _ in pairs]
    summed = joined((mine, its)).summed_at((np.tile(np.arange(len(pairs)), 2),), (len(pairs),))
    assert summed.decimals() == (mine + its).decimals()


@given(row=_rows, places=st.integers(0, 10))
def test_a_double_is_the_nearest_whatever_the_places(row: list[Decimal], places: int) -> None:
    column = scaled(row)
    wider = Scaled(column.units_at(column.places + places), column.places + places)
    assert column.floats().tolist() == wider.floats().tolist() == [float(amount) for amount in row]


@pytest.mark.parametrize("sign", [1, -1])
def test_what_64_bits_do_not_hold_is_not_cut(sign: int) -> None:
    most = Scaled(np.array([sign * (2**63 - 1)] * 3))
    assert (most + most).units.tolist() == [sign * 2 * (2**63 - 1)] * 3
    assert (most * most).units.tolist() == [(2**63 - 1) ** 2] * 3
    assert most.sum().units == sign * 3 * (2**63 - 1)
    assert most.units_at(1).tolist() == [sign * 10 * (2**63 - 1)] * 3
    assert (most - Scaled(-most.units)).units.tolist() == [sign * 2 * (2**63 - 1)] * 3
    assert most.summed_at((np.zeros(3, dtype=int),), (1,)).units.tolist() == [sign * 3 * (2**63 - 1)]
    assert integers([2**63]).tolist() == [2**63]


def _in_a_row(columns: list[bytes]) -> tuple[bytes, bytes]:
    return b"".join(columns), b"".join(len(column).to_bytes(4, "big") for column in columns)


@given(rows=st.lists(_rows, min_size=1, max_size=5))
def test_packed_columns_are_read_one_after_the_other(rows: list[list[Decimal]]) -> None:
    contents, lengths = _in_a_row([packed(scaled(row)) for row in rows])
    read, counts = unpacked_in_turn(contents, lengths)
    assert read.decimals() == [amount for row in rows for amount in row]
    assert counts.tolist() == [len(row) for row in rows]


@given(rows=st.lists(_rows, min_size=1, max_size=5), choice=st.data())
def test_packed_columns_are_read_in_the_order_in_which_they_are_chosen(
    rows: list[list[Decimal]], choice: st.DataObject
) -> None:
    order = choice.draw(st.lists(st.integers(0, len(rows) - 1), unique=True))
    contents, lengths = _in_a_row([packed(scaled(row)) for row in rows])
    read, counts = unpacked_in_turn(contents, lengths, np.array(order, dtype=np.intp))
    assert read.decimals() == [amount for place in order for amount in rows[place]]
    assert counts.tolist() == [len(rows[place]) for place in order]


# A column's head has the number of places as a byte, which is a comma for 44.
@pytest.mark.parametrize("places", [0, 18, 44])
def test_packed_numbers_beyond_64_bits_are_read_with_any_number_of_places(places: int) -> None:
    wide, narrow = Scaled(integers([10**30, 1]), places), Scaled(integers([1, 2]), 2)
    read, counts = unpacked_in_turn(*_in_a_row([packed(wide), packed(narrow)]))
    assert counts.tolist() == [2, 2]
    assert read.decimals() == [*wide.decimals(), *narrow.decimals()]


@pytest.mark.parametrize(
    ("numbers", "size"), [([0, -128], 2), ([128], 2), ([-(2**31), 5], 8), ([2**63 - 1], 8), ([], 0)]
)
def test_a_packed_number_takes_no_more_bytes_than_its_column_needs(numbers: list[int], size: int) -> None:
    column = packed(Scaled(integers(numbers)))
    assert len(column) == 2 + size
    assert unpacked(column).units.tolist() == numbers


def test_nothing_packed_is_nothing() -> None:
    read, counts = unpacked_in_turn(b"", b"")
    assert read.units.tolist() == counts.tolist() == []


@given(
    numbers=st.lists(
        st.one_of(
            st.integers(1, 10**9).map(lambda cents: cents / 100),
            st.integers(1, 10**12).map(lambda units: units / 10**6),
            st.floats(1e-300, 1e300),
            st.floats(-1e6, 1e6),
        ),
        max_size=8,
    )
)
def test_published_prices_are_the_shortest_decimals_that_read_back(numbers: Sequence[float]) -> None:
    assert published(numbers).decimals() == [Decimal(repr(number)) for number in numbers]
