import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.market.core.errors import InvalidCursor
from quantmesh.market.core.pages import decode_cursor, encode_cursor, page_limit


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_a_cursor_gives_its_key_back(key: str) -> None:
    assert decode_cursor(encode_cursor(key)) == key


@pytest.mark.parametrize("cursor", ["%", "é", "A", "AAAA", "_w", " "])
def test_what_was_not_given_out_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(cursor)


def test_limits() -> None:
    assert [page_limit(asked, 100, 1000) for asked in (0, 5, 5000)] == [100, 5, 1000]
