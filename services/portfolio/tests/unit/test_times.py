"""Instants as text, there and back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from quantmesh.portfolio.core.times import parse_rfc3339, rfc3339, to_microseconds

NOON = datetime(2020, 1, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("microsecond", "text"), [(0, ""), (250_000, ".250"), (250, ".000250")])
def test_the_fraction_is_as_long_as_it_must_be(microsecond: int, text: str) -> None:
    assert rfc3339(NOON.replace(microsecond=microsecond)) == f"2020-01-02T12:00:00{text}Z"


def test_other_zones_are_brought_to_utc() -> None:
    vienna = NOON.astimezone(timezone(timedelta(hours=1)))
    assert rfc3339(vienna) == "2020-01-02T12:00:00Z"
    assert to_microseconds(vienna) == "2020-01-02T12:00:00.000000Z"


@pytest.mark.parametrize("text", ["2020-01-02T12:00:00Z", "2020-01-02t13:00:00+01:00", "2020-01-02 12:00:00.000000z"])
def test_an_instant_is_read_in_any_of_its_spellings(text: str) -> None:
    assert parse_rfc3339(text) == NOON


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2020-01-02",
        "2020-01-02T12:00:00",
        "2020-01-02T12:00Z",
        "2020-13-02T12:00:00Z",
        "2020-01-02T12:00:00+00:60",
        "2020-01-02T12:00:00+24:00",
        "0001-01-01T00:00:00+23:00",
    ],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        parse_rfc3339(text)
