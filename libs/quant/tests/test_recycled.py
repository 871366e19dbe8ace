import numpy as np
import pytest

from quantmesh.quant import _recycled

LARGE = (6, 200_000)


@pytest.fixture(autouse=True)
def _no_idle_memory() -> None:
    _recycled._idle.clear()


def address_of(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_memory_is_used_again_once_the_last_view_is_gone() -> None:
    first = _recycled.empty(LARGE)
    address = address_of(first)
    row = first[2]
    del first
    assert address_of(_recycled.empty(LARGE)) != address
    del row
    addresses = {address_of(_recycled.empty(LARGE)) for _ in range(3)}
    assert address in addresses


def test_two_live_answers_never_share_memory() -> None:
    arrays = [_recycled.empty(LARGE) for _ in range(4)]
    for number, array in enumerate(arrays):
        array.fill(number)
    assert [array.mean() for array in arrays] == [0, 1, 2, 3]


def test_a_block_that_is_too_small_is_not_used() -> None:
    del_me = _recycled.empty((600_000,))
    del del_me
    larger = _recycled.empty(LARGE)
    larger.fill(1.0)
    assert larger.shape == LARGE
    assert larger.flags.writeable


def test_no_more_than_two_blocks_are_kept() -> None:
    arrays = [_recycled.empty(LARGE) for _ in range(5)]
    arrays.clear()
    assert len(_recycled._idle) == 2
