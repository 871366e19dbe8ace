"""One key, one effect."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import psycopg
import pytest

from quantmesh.api.common.v1.common_pb2 import Decimal, Money
from quantmesh.chassis import idempotency
from quantmesh.chassis.context import CallContext, current_call, set_call, was_replayed
from quantmesh.chassis.database import Database
from quantmesh.chassis.housekeeping import tidy
from quantmesh.chassis.sql import text
from quantmesh.local.testing import ServiceDatabase

ALICE, BOB = uuid4(), uuid4()
Hook = Callable[[], Awaitable[None]]


@contextmanager
def called_with_key(key: str) -> Iterator[None]:
    before = current_call()
    set_call(CallContext(idempotency_key=key))
    yield
    set_call(before)


async def deposit(
    database: Database, key: str, request: Money, owner: UUID = ALICE, *, during: Hook | None = None, fail: bool = False
) -> tuple[bytes, bool]:
    """The answer's bytes, and whether it was a replay; in a task, and so a call context, of its own."""

    async def call() -> tuple[bytes, bool]:
        with called_with_key(key):
            async with database.transaction(owner) as session:

                async def effect() -> Decimal:
                    await session.execute(
                        text("INSERT INTO account (owner_id, name, balance) VALUES (:owner, :name, 1)"),
                        {"owner": owner, "name": request.currency},
                    )
                    if during is not None:
                        await during()
                    if fail:
                        raise LookupError
                    return Decimal(value=str(uuid4()))

                answer = await idempotency.once(
                    session, owner, scope="Deposit", request=request, answer=Decimal, run=effect
                )
            return answer.SerializeToString(), was_replayed()

    return await asyncio.create_task(call())


async def count(database: Database) -> int:
    async with database.system_transaction() as session:
        return int(await session.scalar(text("SELECT count(*) FROM account")) or 0)


async def test_a_repetition_answers_the_first_bytes_and_does_nothing(database: Database) -> None:
    first, first_replayed = await deposit(database, "k", Money(currency="EUR"))
    second, second_replayed = await deposit(database, "k", Money(currency="EUR"))
    assert second == first
    assert (first_replayed, second_replayed) == (False, True)
    assert await count(database) == 1


async def test_another_request_with_the_same_key_is_refused(database: Database) -> None:
    await deposit(database, "k", Money(currency="EUR"))
    with pytest.raises(idempotency.KeyReused) as refused:
        await deposit(database, "k", Money(currency="USD"))
    assert refused.value.violations[0].field == "idempotency-key"
    assert await count(database) == 1


async def test_the_same_key_of_another_owner_is_another_key(database: Database) -> None:
    await deposit(database, "k", Money(currency="EUR"), ALICE)
    await deposit(database, "k", Money(currency="USD"), BOB)
    assert await count(database) == 2


async def test_a_twin_still_running_is_a_conflict(database: Database) -> None:
    async def ask_again() -> None:
        with pytest.raises(idempotency.TwinRunning):
            await deposit(database, "k", Money(currency="EUR"))

    await deposit(database, "k", Money(currency="EUR"), during=ask_again)
    assert await count(database) == 1


async def test_a_failed_effect_leaves_the_key_free(database: Database) -> None:
    with pytest.raises(LookupError):
        await deposit(database, "k", Money(currency="EUR"), fail=True)
    await deposit(database, "k", Money(currency="EUR"))
    assert await count(database) == 1


async def test_fifty_clients_with_one_key_have_one_effect_and_one_answer(database: Database) -> None:
    async def insist() -> bytes:
        while True:
            try:
                return (await deposit(database, "k", Money(currency="EUR")))[0]
            except idempotency.TwinRunning:
                await asyncio.sleep(0.01)

    answers = await asyncio.gather(*(insist() for _ in range(50)))
    assert len(set(answers)) == 1
    assert await count(database) == 1


async def test_repetitions_of_what_is_finished_do_not_take_each_other_for_the_first(database: Database) -> None:
    first, _ = await deposit(database, "k", Money(currency="EUR"))
    with called_with_key("k"):
        async with database.transaction(ALICE) as session:
            await idempotency.once(
                session, ALICE, scope="Deposit", request=Money(currency="EUR"), answer=Decimal, run=_nothing_to_do
            )
            # The transaction of this repetition is still open.
            assert await deposit(database, "k", Money(currency="EUR")) == (first, True)


async def _nothing_to_do() -> Decimal:
    msg = "a repetition has no effect"
    raise AssertionError(msg)


async def test_without_a_key_each_call_has_its_effect(database: Database) -> None:
    await deposit(database, "", Money(currency="EUR"))
    await deposit(database, "", Money(currency="EUR"))
    assert await count(database) == 2


@pytest.mark.parametrize("key", ["x" * 256, "caf\u00e9", "a\nb"])
async def test_a_key_that_is_too_long_or_not_printable_is_refused(database: Database, key: str) -> None:
    with pytest.raises(idempotency.KeyInvalid):
        await deposit(database, key, Money(currency="EUR"))


async def test_keys_are_forgotten_after_seven_days(ledger: ServiceDatabase, database: Database) -> None:
    await deposit(database, "old", Money(currency="EUR"))
    await deposit(database, "new", Money(currency="EUR"))
    async with database.transaction(ALICE) as session:
        kept = await session.scalars(text("SELECT key FROM idempotency ORDER BY key"))
        assert list(kept) == ["new", "old"]
    async with await psycopg.AsyncConnection.connect(ledger.admin_url) as connection:
        await connection.execute(
            "UPDATE ledger.idempotency SET created_at = now() - interval '8 days' WHERE key = 'old'"
        )
    await tidy(database)
    async with database.transaction(ALICE) as session:
        assert list(await session.scalars(text("SELECT key FROM idempotency"))) == ["new"]
