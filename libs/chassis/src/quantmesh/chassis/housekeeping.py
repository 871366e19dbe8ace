"""Forgets what the chassis's own tables need no longer. Replicas may do it side by side."""

import asyncio

from quantmesh.chassis import idempotency
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, Unavailable
from quantmesh.chassis.events import inbox
from quantmesh.chassis.sql import text
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_EVERY_SECONDS = 3600.0
_HAS_TABLE = text("SELECT to_regclass(:table) IS NOT NULL")
_SWEEPS = {"idempotency": idempotency.sweep, "inbox": inbox.sweep}


async def keep_house(database: Database) -> None:
    """Until cancelled, once an hour."""
    while True:
        try:
            await tidy(database)
        except (Unavailable, Conflict) as fault:
            log.info("housekeeping is put off", error=fault.detail)
        await asyncio.sleep(_EVERY_SECONDS)


async def tidy(database: Database) -> None:
    for table, sweep in _SWEEPS.items():
        async with database.system_transaction() as session:
            has_table = await session.scalar(_HAS_TABLE, {"table": table})
        if has_table:
            await sweep(database)
