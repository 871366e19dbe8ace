"""Sessions that ended a week ago are forgotten, and their refresh tokens with them."""

from datetime import datetime, timedelta

from quantmesh.chassis.database import Database
from quantmesh.chassis.housekeeping import forget_in_parts
from quantmesh.chassis.sql import text

_KEPT_AFTER_END = timedelta(days=7)
# A session may have thousands of tokens.
_AT_ONCE = 100
_FORGET = text(
    "DELETE FROM session WHERE id = ANY(ARRAY("
    "SELECT id FROM session WHERE coalesce(revoked_at, expires_at) < :before LIMIT :at_once))"
)


async def forget_ended_sessions(database: Database, now: datetime) -> None:
    await forget_in_parts(database, _FORGET, {"before": now - _KEPT_AFTER_END, "at_once": _AT_ONCE})
