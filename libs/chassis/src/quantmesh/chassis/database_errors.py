"""Which failures of Postgres and its driver are the chassis's Unavailable or Conflict."""

import psycopg

from quantmesh.chassis.errors import Conflict, QuantmeshError, Unavailable


class ConcurrentUpdate(Conflict):
    problem = "concurrent-update"


_RETRY_SECONDS = 1.0
# Classes of SQLSTATE: connection, resources, operator intervention, system error.
_UNAVAILABLE_CLASSES = frozenset({"08", "53", "57", "58"})
_UNAVAILABLE_STATES = frozenset(
    {
        "25006",  # read-only: a replica, or a primary that was just demoted
        "25P03",  # we idled in a transaction until the server ended it
        "25P04",
        "55P03",  # a lock was not granted in time
        "28000",  # the role is not there yet, while a fresh cluster is being provisioned
        "3D000",  # nor is the database
    }
)


def translate(error: psycopg.Error) -> QuantmeshError | None:
    """None where the error is the caller's own: a broken constraint, or a bug in the SQL."""
    state = error.sqlstate
    if state == "57014":
        return Unavailable(
            "The database did not answer within the call's deadline.", retry_after_seconds=_RETRY_SECONDS
        )
    if state in {"40001", "40P01"}:
        return ConcurrentUpdate(
            "Another change to the same rows came first; repeat the call.", retry_after_seconds=_RETRY_SECONDS / 10
        )
    if state is None:
        # Raised by libpq itself, which never reached a server or lost it; other kinds are misuse of the driver.
        if isinstance(error, psycopg.OperationalError):
            return Unavailable("The database cannot be reached.", retry_after_seconds=_RETRY_SECONDS)
        return None
    if state[:2] in _UNAVAILABLE_CLASSES or state in _UNAVAILABLE_STATES:
        return Unavailable("The database cannot take this now.", retry_after_seconds=_RETRY_SECONDS)
    return None
