from uuid import uuid4

import psycopg

from quantmesh.chassis.database import Database
from quantmesh.chassis.housekeeping import tidy
from quantmesh.chassis.sql import text
from quantmesh.local.testing import ServiceDatabase

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


async def test_jobs_are_forgotten_a_month_after_their_end_and_those_that_go_on_kept(database: Database) -> None:
    insert = text(
        "INSERT INTO job (id, owner_id, kind, parameters, status, updated_at)"
        " VALUES (:id, :owner, 'k', '', :status, now() - make_interval(days => :days))"
    )
    async with database.system_transaction() as session:
        for status in ("queued", "running", "succeeded", "failed", "cancelled"):
            for days in (29, 31):
                await session.execute(
                    insert, {"id": f"{status} {days}", "owner": uuid4(), "status": status, "days": days}
                )
    await tidy(database)
    async with database.system_transaction() as session:
        kept = set(await session.scalars(text("SELECT id FROM job WHERE id LIKE '%31'")))
        assert await session.scalar(text("SELECT count(*) FROM job WHERE id LIKE '%29'")) == 5
    assert kept == {"queued 31", "running 31"}


async def test_much_is_forgotten_in_parts_that_a_statement_gets_through(
    ledger: ServiceDatabase, database: Database
) -> None:
    with psycopg.connect(ledger.admin_url) as admin:
        admin.execute(
            """
            SET search_path = ledger;
            CREATE TABLE forgotten (rows bigint);
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
                'BEGIN INSERT INTO ledger.forgotten SELECT count(*) FROM gone; RETURN NULL; END';
            CREATE TRIGGER note AFTER DELETE ON inbox REFERENCING OLD TABLE AS gone
                FOR EACH STATEMENT EXECUTE FUNCTION note();
            INSERT INTO inbox (consumer, event_id, handled_at)
                SELECT 'c', gen_random_uuid(), now() - interval '31 days' FROM generate_series(1, 25000)
            """
        )
    await tidy(database)
    with psycopg.connect(ledger.admin_url) as admin:
        parts = admin.execute("SELECT array_agg(rows ORDER BY rows DESC) FROM ledger.forgotten").fetchone()
    assert parts == ([10_000, 10_000, 5_000],)
