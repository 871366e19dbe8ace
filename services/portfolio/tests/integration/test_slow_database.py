"""Locked rows and slow statements: the deadline ends the call that waits, and the others do not notice."""

import asyncio
import time
from dataclasses import replace

import psycopg
import pytest

from quantmesh.chassis.context import current_call, set_call
from quantmesh.chassis.errors import Unavailable

from .fakes import Service, User
from .known_accounts import until_some_wait

DEADLINE_SECONDS = 0.5
DEPOSIT = {"type": "deposit", "amount": "5", "at": "2020-01-02"}


class Hurried(User):
    """A user whose calls have a deadline."""

    def call(self, key: str = "") -> None:
        super().call(key)
        set_call(replace(current_call(), deadline=time.monotonic() + DEADLINE_SECONDS))


async def test_a_locked_account_costs_its_own_callers_their_deadline_and_nobody_else_anything(
    service: Service,
) -> None:
    patient = service.user()
    locked, free = await patient.create(), await patient.create()
    await patient.deposit(locked.id)
    hurried = Hurried(service.rpc, patient.owner_id)
    async with await psycopg.AsyncConnection.connect(service.admin_url) as admin:
        await admin.execute("SELECT FROM portfolio.portfolio WHERE id = %s FOR UPDATE", [locked.id])

        async def wait_in_vain(number: int) -> None:
            with pytest.raises(Unavailable, match="deadline"):
                await hurried.record(locked.id, key=f"locked-{number}", **DEPOSIT)

        # Without the deadline they would wait for as long as the lock is held.
        async with asyncio.timeout(30):
            await asyncio.gather(*(asyncio.create_task(wait_in_vain(number)) for number in range(6)))
        enduring = [
            asyncio.create_task(patient.record(locked.id, key=f"enduring-{number}", **DEPOSIT)) for number in range(6)
        ]
        await until_some_wait(admin)
        async with asyncio.timeout(30):
            await asyncio.create_task(patient.deposit(free.id))
            assert (await patient.events(locked.id)).last_seq == 1
        assert not any(task.done() for task in enduring)
    await asyncio.gather(*enduring)
    # What was not done is done by its key once the lock is gone.
    await patient.record(locked.id, key="locked-1", **DEPOSIT)
    assert (await patient.events(locked.id)).last_seq == 8
