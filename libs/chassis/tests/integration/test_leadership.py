"""How long a replica leads that Postgres hears nothing of, or that hears nothing of Postgres."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest

from quantmesh.chassis.database import Database
from quantmesh.chassis.leadership import LeadLost, leading, while_leading
from quantmesh.chassis.sql import text
from quantmesh.local.testing import ServiceDatabase

from .events import Start, until

# As the client's side of each connection has them.
SILENCE = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}


@pytest.fixture(autouse=True)
def proved_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quantmesh.chassis.leadership._PROOF_SECONDS", 0.2)


@contextmanager
def silent(ledger: ServiceDatabase, application: str) -> Iterator[None]:
    """The process of Postgres that serves this session takes what it is sent, and does nothing."""
    with psycopg.connect(ledger.admin_url) as admin:
        found = admin.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s", [application])
        ((process_id,),) = found.fetchall()
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)


async def test_postgres_gives_up_a_host_that_vanished_as_soon_as_we_give_up_postgres(database: Database) -> None:
    ask = "SELECT current_setting(name) FROM unnest(%s::text[]) AS name"
    async with leading(database, "books") as connection:
        of_the_lead = [row[0] for row in await (await connection.execute(ask, [list(SILENCE)])).fetchall()]
    async with database.transaction(uuid4()) as session:
        of_a_request = [await session.scalar(text(f"SHOW {name}")) for name in SILENCE]
    assert of_the_lead == of_a_request == list(SILENCE.values())


async def test_a_silent_postgres_ends_the_work_of_who_led(
    ledger: ServiceDatabase, database: Database, start: Start
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    led = start(while_leading(database, "books", work, patience_seconds=3.0))
    await begun.wait()
    with silent(ledger, "quantmesh-ledger-books"):
        await until(ended.is_set)
    # One kind of error for whatever befalls the connection, so that nobody who leads forgets another.
    with pytest.raises(psycopg.Error) as lost:
        await led
    assert isinstance(lost.value, LeadLost)


async def test_who_is_answered_goes_on_leading(database: Database, start: Start) -> None:
    async def goes_on() -> bool:
        led = start(while_leading(database, "books", asyncio.Event().wait, patience_seconds=1.0))
        await asyncio.wait({led}, timeout=1.5)
        is_leading = not led.done()
        led.cancel()
        await asyncio.gather(led, return_exceptions=True)
        return is_leading

    # A machine that holds Postgres up for a second ends a lead rightly: not each time.
    assert await goes_on() or await goes_on() or await goes_on()
