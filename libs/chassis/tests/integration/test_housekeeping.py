from uuid import uuid4

from quantmesh.chassis.database import Database
from quantmesh.chassis.housekeeping import tidy
from quantmesh.chassis.sql import text

_COUNT = text("SELECT count(*) FROM inbox")


async def test_handled_events_are_forgotten_after_a_month_and_failures_kept(database: Database) -> None:
    insert = text(
        "INSERT INTO inbox (consumer, event_id, handled_at, failures)"
        " VALUES ('c', :id, now() - make_interval(days => :days), 0)"
    )
    async with database.system_transaction() as session:
        for days in (1, 29, 31, 300, None):
            await session.execute(insert, {"id": uuid4(), "days": days})
    await tidy(database)
    async with database.system_transaction() as session:
        assert await session.scalar(_COUNT) == 3
