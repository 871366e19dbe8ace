"""Several tasks ask in one transaction."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

from psycopg.pq import TransactionStatus

from quantmesh.chassis.database import Database
from quantmesh.chassis.sql import Session, text
from quantmesh.local.testing import ServiceDatabase

NUMBER = text("SELECT CAST(:number AS integer)")


async def test_each_task_gets_its_own_answer(ledger: ServiceDatabase, open_database: Callable[..., Database]) -> None:
    async with open_database(ledger.url).transaction(uuid4()) as session:
        await session.begin()
        answers = await asyncio.gather(*(session.scalar(NUMBER, {"number": number}) for number in range(20)))
    assert answers == [*range(20)]


async def test_what_waits_is_asked_before_an_answer_is_worked_on(
    ledger: ServiceDatabase, open_database: Callable[..., Database]
) -> None:
    working: list[int] = []

    async def ask(session: Session) -> None:
        await session.scalar(NUMBER, {"number": 1})
        working.append(session.connection.pgconn.transaction_status)

    async with open_database(ledger.url).transaction(uuid4()) as session:
        await session.begin()
        await asyncio.gather(*(ask(session) for _ in range(3)))
    active, idle = TransactionStatus.ACTIVE, TransactionStatus.INTRANS
    assert working == [active, active, idle]
