"""Pages by key, and cursors that somebody else made."""

from uuid import UUID

import pytest

from quantmesh.portfolio.core.errors import InvalidCursor, InvalidRequest
from quantmesh.portfolio.core.pages import LARGEST_LIMIT, from_cursor, id_from_cursor, page_limit, page_of, to_cursor

ID = UUID("0185305c-0000-7000-8000-000000000001")


def test_a_page_leads_to_the_next_by_its_last_item_and_the_last_page_to_none() -> None:
    shown, cursor = page_of("abcd", 3, lambda item: [item, item.upper()])
    assert (shown, from_cursor(cursor, 2)) == ("abc", ["c", "C"])
    assert page_of("abc", 3, lambda item: [item]) == ("abc", "")
    assert page_of("", 3, lambda item: [item]) == ("", "")


def test_a_cursor_gives_the_id_that_it_was_made_of() -> None:
    assert id_from_cursor(to_cursor([str(ID)])) == ID
    assert id_from_cursor("") is None


@pytest.mark.parametrize("cursor", ["!", "AAAA", "w7w", to_cursor(["no id"]), to_cursor([str(ID), "more"])])
def test_a_cursor_that_no_list_of_ids_gave_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor, match="is not one that this list gave"):
        id_from_cursor(cursor)


def test_more_than_the_largest_page_is_refused() -> None:
    assert page_limit(LARGEST_LIMIT) == LARGEST_LIMIT
    assert page_limit(0) == 50
    with pytest.raises(InvalidRequest, match="1001 is more than 1000"):
        page_limit(LARGEST_LIMIT + 1)
