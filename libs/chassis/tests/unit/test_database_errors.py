"""Every failure of Postgres that means "not now" is the chassis's own; the rest stays visible as a bug or a rule."""

import psycopg
import pytest
from psycopg import errors as pg
from psycopg.errors import lookup

from quantmesh.chassis.database_errors import ConcurrentUpdate, translate
from quantmesh.chassis.errors import Unavailable

STATES = [
    cls.sqlstate
    for cls in vars(pg).values()
    if isinstance(cls, type) and issubclass(cls, psycopg.Error) and cls.sqlstate is not None
]
# 08 connection, 53 resources, 57 operator intervention, 58 system.
OUTAGES = sorted(state for state in set(STATES) if state[:2] in {"08", "53", "57", "58"})


def test_the_driver_knows_the_classes_that_are_tested_here() -> None:
    assert len(OUTAGES) >= 20


@pytest.mark.parametrize("state", [*OUTAGES, "25006", "25P03", "55P03"])
def test_an_outage_is_unavailable_with_a_time_to_come_back(state: str) -> None:
    error = translate(lookup(state)("said the server"))
    assert isinstance(error, Unavailable)
    assert error.retry_after_seconds
    assert "said the server" not in error.detail


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_lost_races_are_conflicts(state: str) -> None:
    assert isinstance(translate(lookup(state)("x")), ConcurrentUpdate)


@pytest.mark.parametrize("state", ["23505", "23503", "23514", "42601", "42501", "22003", "2F002"])
def test_broken_rules_and_bugs_are_not_hidden(state: str) -> None:
    assert translate(lookup(state)("x")) is None


def test_a_server_that_cannot_be_reached_is_unavailable() -> None:
    assert isinstance(translate(psycopg.OperationalError("connection refused")), Unavailable)


def test_misuse_of_the_driver_is_a_bug() -> None:
    assert translate(psycopg.ProgrammingError("no results to fetch")) is None
    assert translate(psycopg.IntegrityError("x")) is None
