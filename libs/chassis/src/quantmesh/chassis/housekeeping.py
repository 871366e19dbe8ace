"""Forgets what is needed no longer, by itself what is in the chassis's own tables. Replicas may do it side by side."""

import asyncio

from quantmesh.chassis import idempotency
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, Unavailable
from quantmesh.chassis.events import inbox
from quantmesh.chassis.jobs import records as jobs
from quantmesh.chassis.sql import Parameters, Statement, text
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_EVERY_SECONDS = 3600.0
_AT_ONCE = 10_000
_HAS_TABLE = text("SELECT to_regclass(:table) IS NOT NULL")
_FORGET = {
    table: text(
        f"""
        DELETE FROM {table} WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM {table} WHERE {old} < now() - make_interval(days => {days}) LIMIT :at_once
        ))
        """  # noqa: S608  our own names
    )
    for table, old, days in (
        ("idempotency", "created_at", idempotency.KEPT_DAYS),
        # Single events alone; their aggregates' versions go on refusing them.
        ("inbox", "handled_at", inbox.KEPT_DAYS),
        ("job", "status NOT IN ('queued', 'running') AND updated_at", jobs.KEPT_DAYS),
    )
}


async def keep_house(database: Database) -> None:
    """Until cancelled, once an hour."""
    while True:
        try:
            await tidy(database)
        except (Unavailable, Conflict) as fault:
            log.info("housekeeping is put off", error=fault.detail)
        await asyncio.sleep(_EVERY_SECONDS)


async def tidy(database: Database) -> None:
    for table, forget in _FORGET.items():
        async with database.system_transaction() as session:
            has_table = await session.scalar(_HAS_TABLE, {"table": table})
        if has_table:
            await forget_in_parts(database, forget, {"at_once": _AT_ONCE})


async def forget_in_parts(database: Database, statement: Statement, parameters: Parameters) -> None:
    """What `statement` deletes, `:at_once` rows at most, each time in a transaction of its own: a backlog that no
    statement gets through in its time would only grow."""
    forgotten = parameters["at_once"]
    while forgotten == parameters["at_once"]:
        async with database.system_transaction() as session:
            forgotten = (await session.execute(statement, parameters)).rowcount
