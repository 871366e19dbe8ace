"""What ended long ago is forgotten in parts that a statement gets through."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import psycopg

from quantmesh.auth.adapters.forgetting import forget_ended_sessions
from quantmesh.chassis.database import Database
from quantmesh.local.testing import ServiceDatabase


async def test_sessions_that_ended_a_week_ago_are_forgotten_in_parts(
    service_database: Callable[[str], ServiceDatabase],
) -> None:
    at = service_database("auth")
    with psycopg.connect(at.admin_url) as admin:
        admin.execute("SET search_path = auth")
        user = uuid4()
        admin.execute("INSERT INTO user_account VALUES (%s, 'ada@example.com', 'Ada', '', '{}', '', now())", [user])
        for days, revoked_days, count in ((8, None, 150), (-20, 8, 100), (6, None, 3), (-20, 6, 2), (-20, None, 1)):
            admin.execute(
                """
                INSERT INTO session
                SELECT uuidv7(), %s, '', '', now(), now(), now() - make_interval(days => %s),
                       now() - make_interval(days => %s) FROM generate_series(1, %s)
                """,
                [user, days, revoked_days, count],
            )
        admin.execute(
            """
            CREATE TABLE forgotten (rows bigint);
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
                'BEGIN INSERT INTO auth.forgotten SELECT count(*) FROM gone; RETURN NULL; END';
            CREATE TRIGGER note AFTER DELETE ON session REFERENCING OLD TABLE AS gone
                FOR EACH STATEMENT EXECUTE FUNCTION note();
            """
        )
    database = Database(at.url, "auth")
    await forget_ended_sessions(database, datetime.now(UTC))
    await database.close()
    with psycopg.connect(at.admin_url) as admin:
        parts = admin.execute("SELECT array_agg(rows ORDER BY rows DESC) FROM auth.forgotten").fetchone()
        left = admin.execute("SELECT count(*) FROM auth.session").fetchone()
    assert (parts, left) == (([100, 100, 50],), (6,))
